/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which types of HDF5 are which kinds of numbers: complex numbers and booleans are those of h5py. */
#include "file/hdf5-private.h"
#include <stdio.h>
#include <string.h>

static int
integer_kind (hid_t type)
{
  size_t bits = H5Tget_precision (type);
  bool sign = H5Tget_sign (type) != H5T_SGN_NONE;

  if (bits <= 8)
    return sign ? TUTTI_HDF5_S8 : TUTTI_HDF5_U8;
  if (bits <= 16)
    return sign ? TUTTI_HDF5_S16 : TUTTI_HDF5_U16;
  if (bits <= 32)
    return sign ? TUTTI_HDF5_S32 : TUTTI_HDF5_U32;
  if (bits <= 64)
    return sign ? TUTTI_HDF5_S64 : TUTTI_HDF5_U64;
  tutti_hdf5_say ("integers of %zu bits", bits);
  return TUTTI_HDF5_OTHER;
}

static int
float_kind (hid_t type)
{
  size_t sign, exponent, exponent_bits, fraction, fraction_bits;

  if (H5Tget_fields (type, &sign, &exponent, &exponent_bits, &fraction, &fraction_bits) >= 0)
    {
      if (fraction_bits <= 23 && exponent_bits <= 8)
        return TUTTI_HDF5_F32;
      if (fraction_bits <= 52 && exponent_bits <= 11)
        return TUTTI_HDF5_F64;
    }
  tutti_hdf5_say ("floating-point numbers of %zu bits, which would lose digits", 8 * H5Tget_size (type));
  return TUTTI_HDF5_OTHER;
}

static bool
has_member (hid_t type, unsigned int i, const char *name)
{
  char *found = H5Tget_member_name (type, i);
  bool same = found != NULL && strcmp (found, name) == 0;

  H5free_memory (found);
  return same;
}

static int
member_kind (hid_t type, unsigned int i)
{
  hid_t member = H5Tget_member_type (type, i);
  int kind = member < 0 || H5Tget_class (member) != H5T_FLOAT ? TUTTI_HDF5_OTHER : float_kind (member);

  if (member >= 0)
    H5Tclose (member);
  return kind;
}

static int
compound_kind (hid_t type)
{
  char names[200] = "";
  int n = H5Tget_nmembers (type);
  size_t length = 0;

  if (n == 2 && has_member (type, 0, "r") && has_member (type, 1, "i"))
    {
      int kind = member_kind (type, 0);

      if (kind == member_kind (type, 1) && kind != TUTTI_HDF5_OTHER)
        return kind == TUTTI_HDF5_F32 ? TUTTI_HDF5_C32 : TUTTI_HDF5_C64;
    }
  for (int i = 0; i < n && length < sizeof names; i++)
    {
      char *name = H5Tget_member_name (type, (unsigned int) i);

      length += (size_t) snprintf (names + length, sizeof names - length, "%s%s", i > 0 ? ", " : "", name != NULL ? name : "?");
      H5free_memory (name);
    }
  tutti_hdf5_say ("records with the fields %s", names);
  return TUTTI_HDF5_OTHER;
}

static int
enum_kind (hid_t type)
{
  if (H5Tget_nmembers (type) == 2 && has_member (type, 0, "FALSE") && has_member (type, 1, "TRUE") && H5Tget_size (type) == 1)
    {
      signed char zero = 1, one = 0;

      if (H5Tget_member_value (type, 0, &zero) >= 0 && H5Tget_member_value (type, 1, &one) >= 0 && zero == 0 && one == 1)
        return TUTTI_HDF5_BOOLEAN;
    }
  tutti_hdf5_say ("an enumeration that is not that of booleans");
  return TUTTI_HDF5_OTHER;
}

int
tutti_hdf5_kind (hid_t type)
{
  static const char *const others[H5T_NCLASSES] = {
    [H5T_TIME] = "times",       [H5T_BITFIELD] = "fields of bits",   [H5T_OPAQUE] = "bytes without a meaning",
    [H5T_REFERENCE] = "references", [H5T_VLEN] = "sequences of any length", [H5T_ARRAY] = "arrays as items"
  };
  H5T_class_t class = H5Tget_class (type);

  if (class == H5T_INTEGER)
    return integer_kind (type);
  if (class == H5T_FLOAT)
    return float_kind (type);
  if (class == H5T_STRING)
    return TUTTI_HDF5_TEXT;
  if (class == H5T_COMPOUND)
    return compound_kind (type);
  if (class == H5T_ENUM)
    return enum_kind (type);
  tutti_hdf5_say ("%s", class >= 0 && class < H5T_NCLASSES && others[class] != NULL ? others[class] : "items of an unknown type");
  return TUTTI_HDF5_OTHER;
}

static hid_t
complex_type (hid_t part)
{
  size_t size = H5Tget_size (part);
  hid_t type = H5Tcreate (H5T_COMPOUND, 2 * size);

  if (type >= 0 && (H5Tinsert (type, "r", 0, part) < 0 || H5Tinsert (type, "i", size, part) < 0))
    {
      H5Tclose (type);
      type = H5I_INVALID_HID;
    }
  return type;
}

static hid_t
boolean_type (void)
{
  hid_t type = H5Tenum_create (H5T_NATIVE_INT8);
  signed char zero = 0, one = 1;

  if (type >= 0 && (H5Tenum_insert (type, "FALSE", &zero) < 0 || H5Tenum_insert (type, "TRUE", &one) < 0))
    {
      H5Tclose (type);
      type = H5I_INVALID_HID;
    }
  return type;
}

static hid_t
text_type (void)
{
  hid_t type = H5Tcopy (H5T_C_S1);

  if (type >= 0 && (H5Tset_size (type, H5T_VARIABLE) < 0 || H5Tset_cset (type, H5T_CSET_UTF8) < 0))
    {
      H5Tclose (type);
      type = H5I_INVALID_HID;
    }
  return type;
}

hid_t
tutti_hdf5_type (int kind)
{
  switch (kind)
    {
    case TUTTI_HDF5_U8: return H5Tcopy (H5T_NATIVE_UINT8);
    case TUTTI_HDF5_S8: return H5Tcopy (H5T_NATIVE_INT8);
    case TUTTI_HDF5_U16: return H5Tcopy (H5T_NATIVE_UINT16);
    case TUTTI_HDF5_S16: return H5Tcopy (H5T_NATIVE_INT16);
    case TUTTI_HDF5_U32: return H5Tcopy (H5T_NATIVE_UINT32);
    case TUTTI_HDF5_S32: return H5Tcopy (H5T_NATIVE_INT32);
    case TUTTI_HDF5_U64: return H5Tcopy (H5T_NATIVE_UINT64);
    case TUTTI_HDF5_S64: return H5Tcopy (H5T_NATIVE_INT64);
    case TUTTI_HDF5_F32: return H5Tcopy (H5T_NATIVE_FLOAT);
    case TUTTI_HDF5_F64: return H5Tcopy (H5T_NATIVE_DOUBLE);
    case TUTTI_HDF5_C32: return complex_type (H5T_NATIVE_FLOAT);
    case TUTTI_HDF5_C64: return complex_type (H5T_NATIVE_DOUBLE);
    case TUTTI_HDF5_BOOLEAN: return boolean_type ();
    case TUTTI_HDF5_TEXT: return text_type ();
    default: return H5I_INVALID_HID;
    }
}
