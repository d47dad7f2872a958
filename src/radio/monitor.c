/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <syslog.h>

#include "blank.h"
#include "clock.h"
#include "json-text.h"
#include "packet-record.h"

static void watch_set(Watch *watch, radio_record_t function, void *userdata) {
        *watch = (Watch){function, userdata};
}

void radio_watch_packets(Radio *radio, radio_record_t function, void *userdata) {
        watch_set(&radio->packet_watch, function, userdata);
}

void radio_watch_frames(Radio *radio, radio_record_t function, void *userdata) {
        watch_set(&radio->frame_watch, function, userdata);
}

static GString *record_new(void) {
        GString *record = g_string_sized_new(512);

        json_text_open(record, NULL, '{');
        json_text_int(record, "TimeUSec", (int64_t) clock_realtime_usec());
        return record;
}

static void watch_tell(const Watch *watch, Radio *radio, const GString *record) {
        watch->function(radio, record, watch->userdata);
}

void monitor_packet(Radio *radio, const Frame *frame) {
        g_autoptr(GString) record = NULL;

        if (!radio->packet_watch.function)
                return;

        record = record_new();
        packet_record(record, radio, frame);
        watch_tell(&radio->packet_watch, radio, record);
}

void monitor_frame(Radio *radio, bool command, const uint8_t *frame, size_t size) {
        uint8_t copy[FRAME_SIZE_ACCEPTED];
        g_autoptr(GString) record = NULL;
        const char *name;
        bool blanked;

        if (!radio->frame_watch.function || size == 0 || size > sizeof(copy))
                return;

        memcpy(copy, frame, size);
        blanked = frame_blank(copy, size, command);
        name = command ? command_code_to_string(copy[0]) : frame_code_to_string(copy[0]);

        record = record_new();
        json_text_string(record, "Direction", command ? "app>radio" : "radio>app");
        json_text_int(record, "Connection", radio->n_links);
        if (name)
                json_text_string(record, "Name", name);
        if (blanked)
                json_text_bool(record, "Blanked", true);
        json_text_hex(record, "Frame", (Slice){copy, size});
        watch_tell(&radio->frame_watch, radio, record);
}

void monitor_unknown_frame(Radio *radio, const Frame *frame) {
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);

        radio_log(radio, LOG_DEBUG, 0, "a frame of later firmware came, code %u", frame->code);
        if (o && o->unknown_frame)
                o->unknown_frame(radio, frame->code, frame->rest, userdata);
}
