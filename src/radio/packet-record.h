/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "radio-internal.h"

/* Adds what can be read of a FRAME_RX_LOG to an object. */
void packet_record(GString *record, Radio *radio, const Frame *frame);

/* The channel in a slot that this packet was sent on, with what it says; NULL: none of ours. */
Channel *packet_find_channel(Identity *identity, const Packet *packet, ChannelContent *ret);
