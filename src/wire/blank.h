/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Frames for the eyes of others. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Overwrites what nobody else may know: keys, PINs, passwords and channel secrets with zeroes, the text of
 * command lines, which may hold passwords, with '*'. The frame keeps its length. command: it goes to the
 * radio, else it comes from it. Returns whether there was something to overwrite. */
bool frame_blank(uint8_t *frame, size_t size, bool command);
