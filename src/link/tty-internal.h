/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A serial port, from its path to a descriptor that carries bytes. */

#include "link.h"

/* Which lines policy fits a device. driver is the kernel's name ("cp210x") or
 * NULL; vendor and product are the USB ids, -1 when it is not USB. */
SerialLines tty_default_lines(const char *driver, int vendor, int product);
SerialLines tty_other_lines(SerialLines lines);

/* Follows symbolic links, opens, locks and sets up. Returns 0 and a
 * non-blocking descriptor; or a negative errno, *ret_end, and *ret_why for
 * people. Does not block. */
int tty_open(const char *path, SerialLines lines, int *ret_fd, LinkEnd *ret_end, char **ret_why);

/* Gives the port back to others. What is not written yet is thrown away: a
 * close that waits for a deaf device would block for half a minute. */
int tty_close(int fd);
