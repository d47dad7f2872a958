/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "frame.h"

/* Sets kind and the union from what follows the code; an overrun of r is
 * the caller's to see. False when the frame cannot be for another reason. */
bool frame_decode_push(ByteReader *r, const FrameContext *hints, Frame *frame);

/* The record of codes 3 and 0x8A. */
void frame_read_contact(ByteReader *r, uint8_t level, Frame *frame);
