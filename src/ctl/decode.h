/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* meshcorectl decode: explains frames of the companion protocol, offline.
 * argv[0] is "decode". Returns the exit status: 0, 1 when a frame could not be
 * decoded, 2 for a command line that cannot be. */
int decode_main(int argc, char *argv[]);
