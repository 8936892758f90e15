/* socketcan.h - a board's place on a SocketCAN interface: a raw socket with an acceptance filter. */
#ifndef SOCKETCAN_H
#define SOCKETCAN_H

/* Opens a raw socket on `interface` that lets in only the base ids listed in `accepts` (hexadecimal, comma
 * between them; empty: none).  Returns its descriptor, or the negated errno of what failed. */
int socketcan_open(const char *interface, const char *accepts);

#endif
