/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"

/* -- signals -------------------------------------------------------------- */

void bus_emit_unknown_frame(BusRadio *self, uint8_t code, Slice rest) {
        sd_bus_message *signal = bus_optional_signal_new(self->bus, self->path, BUS_MONITOR, "UnknownFrame");
        int r;

        if (!signal)
                return;

        r = sd_bus_message_append(signal, "y", code);
        /* An answer may be a secret for all we know; what a radio tells unasked is for everybody. */
        if (r >= 0)
                r = sd_bus_message_append_array(signal, 'y', rest.data, code < 0x80 ? 0 : rest.size);
        bus_signal_send(self->bus, signal, r);
}

/* -- streams -------------------------------------------------------------- */

static void on_packet(Radio *radio, const GString *record, void *userdata) {
        bus_streams_send(userdata, BUS_STREAM_RX_LOG, record);
}

static void on_frame(Radio *radio, const GString *record, void *userdata) {
        bus_streams_send(userdata, BUS_STREAM_FRAMES, record);
}

void bus_monitor_watch(BusRadio *self, BusStreamKind kind, bool watch) {
        if (kind == BUS_STREAM_RX_LOG)
                radio_watch_packets(self->radio, watch ? on_packet : NULL, self);
        else
                radio_watch_frames(self->radio, watch ? on_frame : NULL, self);
}

/* -- methods -------------------------------------------------------------- */

static int open_stream(sd_bus_message *call, BusRadio *self, BusStreamKind kind, sd_bus_error *error) {
        int r;

        r = bus_read_options(call, NULL, 0, error);
        if (r < 0)
                return r;
        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return bus_stream_open(self, kind, call, error);
}

static int method_open_rx_log(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return open_stream(call, userdata, BUS_STREAM_RX_LOG, error);
}

static int method_open_frames(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return open_stream(call, userdata, BUS_STREAM_FRAMES, error);
}

const sd_bus_vtable bus_monitor_vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD_WITH_ARGS("OpenRxLog", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("h", stream), method_open_rx_log,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("OpenFrames", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("h", stream), method_open_frames,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_SIGNAL_WITH_ARGS("UnknownFrame", SD_BUS_ARGS("y", code, "ay", data), 0),
                SD_BUS_VTABLE_END,
};
