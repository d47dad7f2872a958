/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a radio hears, and what daemon and radio say to each other, for who looks on. Nothing is prepared for
 * it while nobody does. */

#include "bytes.h"
#include "radio.h"

/* A packet as the radio heard it, LOG_RX_DATA of the wire reference. Borrowed. */
typedef struct RxPacket {
        double snr; /* dB */
        int rssi;   /* dBm */
        Slice data; /* as on air */
} RxPacket;

typedef void (*radio_packet_t)(Radio *radio, const RxPacket *packet, void *userdata);

/* Called for every packet from now on. function NULL: no more. */
void radio_watch_packets(Radio *radio, radio_packet_t function, void *userdata);
