/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Archives of arrays, by libzip. Where something can fail, MESSAGE has ROOM for the text that says why. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Opens FILE for reading. Returns NULL if that fails. */
void *tutti_npz_open (const char *file, char *message, size_t room);

/* Closes what tutti_npz_open returned. */
void tutti_npz_close (void *archive);

/* How many members there are. */
int64_t tutti_npz_count (void *archive);

/* The name of member number INDEX, which is UTF-8, or NULL. The archive owns it. */
const char *tutti_npz_name (void *archive, uint64_t index, char *message, size_t room);

/* Opens a member; SIZE is that of its contents. Returns NULL if that fails, or if SIZE cannot be right. */
void *tutti_npz_member (void *archive, uint64_t index, uint64_t *size, char *message, size_t room);

/* Reads up to SIZE bytes. Returns how many, 0 at the end, where the checksum is compared, and -1 if that fails. */
int64_t tutti_npz_read (void *member, void *bytes, uint64_t size, char *message, size_t room);

/* Closes what tutti_npz_member returned. */
void tutti_npz_member_close (void *member);

/* Writes an archive of N members. NAMES, HEADS and BODIES have addresses, of texts and of bytes; a member is a head and a body, whose
 * sizes are in HEAD_SIZES and BODY_SIZES. The same members make the same bytes. Returns 0 or -1. */
int tutti_npz_write (const char *file, size_t n, const uint64_t *names, const uint64_t *heads, const uint64_t *head_sizes,
                     const uint64_t *bodies, const uint64_t *body_sizes, int compress, char *message, size_t room);
