/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "command.h"

/* Takes a recorded command apart and encodes it again. Returns what the
 * encoder returned, or -ENOMSG for bytes that no encoder would ever send. */
int reencode(Slice frame, Command *ret);
