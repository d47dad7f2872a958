/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One line from a file or standard input: what must not stand on a command line,
 * where every user of the machine can read it. */

#include "ctl.h"

/* path NULL or "-": standard input; from a terminal the line is asked for with prompt and typed unseen if
 * secret. Without the line's end; *ret is the caller's (wipe it if secret). */
ExitCode text_input_line(const char *path, const char *prompt, bool secret, char **ret);
