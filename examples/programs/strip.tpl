** A cantilever: a strip of metal, clamped at one end. Units are mm, N, t and s, so stresses are in MPa, frequencies in Hz.
*NODE, NSET=ALL
1, 0, 0, 0
2, 6, 0, 0
3, 12, 0, 0
4, 18, 0, 0
5, 24, 0, 0
6, 30, 0, 0
7, 36, 0, 0
8, 42, 0, 0
9, 48, 0, 0
10, 54, 0, 0
11, 60, 0, 0
12, 66, 0, 0
13, 72, 0, 0
14, 78, 0, 0
15, 84, 0, 0
16, 90, 0, 0
17, 96, 0, 0
18, 102, 0, 0
19, 108, 0, 0
20, 114, 0, 0
21, 120, 0, 0
*ELEMENT, TYPE=B32R, ELSET=STRIP
1, 1, 2, 3
2, 3, 4, 5
3, 5, 6, 7
4, 7, 8, 9
5, 9, 10, 11
6, 11, 12, 13
7, 13, 14, 15
8, 15, 16, 17
9, 17, 18, 19
10, 19, 20, 21
*BEAM SECTION, ELSET=STRIP, MATERIAL=METAL, SECTION=RECT
3, 30
0, 0, 1
*MATERIAL, NAME=METAL
*ELASTIC
@{E}, @{nu}
*DENSITY
7.85e-9
*BOUNDARY
1, 1, 6
*STEP
*FREQUENCY
5
*END STEP
