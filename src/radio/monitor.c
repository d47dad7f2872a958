/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "monitor-api.h"
#include "radio-internal.h"

void radio_watch_packets(Radio *radio, radio_packet_t function, void *userdata) {
        radio->packet_watch = function;
        radio->packet_userdata = userdata;
}

void monitor_packet(Radio *radio, const Frame *frame) {
        RxPacket packet;

        if (!radio->packet_watch)
                return;

        packet = (RxPacket){
                        .snr = frame->rx_log.snr_x4 / 4.0,
                        .rssi = frame->rx_log.rssi,
                        .data = frame->rx_log.data,
        };
        radio->packet_watch(radio, &packet, radio->packet_userdata);
}

void monitor_unknown_frame(Radio *radio, const Frame *frame) {
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);

        if (o && o->unknown_frame)
                o->unknown_frame(radio, frame->code, frame->rest, userdata);
}
