/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake-radio-internal.h"
#include "hex.h"
#include "mesh-api.h"

/* mesh-api.h: as fake-requests.c, what is asked for is put into words. */

static char *hex(Slice bytes) {
        char *text = g_malloc(2 * bytes.size + 1);

        hex_encode(bytes.data, bytes.size, text);
        return text;
}

static void request_new(Radio *radio, radio_done_t done, void *userdata, const char *what, unsigned number,
                        Slice bytes) {
        g_autofree char *text = hex(bytes);

        fake_request_new(radio, userdata, "%s %u %s", what, number, text)->done = done;
}

void radio_send_raw(Radio *radio, const PathHop *path, size_t n_path, Slice data, radio_done_t done,
                    void *userdata) {
        request_new(radio, done, userdata, "send-raw", (unsigned) n_path, data);
}

void radio_send_control(Radio *radio, Slice data, radio_done_t done, void *userdata) {
        request_new(radio, done, userdata, "send-control", 0, data);
}

void radio_send_packet(Radio *radio, uint8_t priority, Slice packet, radio_done_t done, void *userdata) {
        request_new(radio, done, userdata, "send-packet", priority, packet);
}

static void advert_path_answered(Radio *radio, FakeRequest *request, const Outcome *outcome, Slice packet) {
        const PathHop path[] = {{2, {0xA1, 0xA2}}, {2, {0xB1, 0xB2}}};

        ((radio_advert_path_done_t) request->settings_done)(radio, outcome, 1234567, path, 2,
                                                            request->userdata);
}

void radio_get_advert_path(Radio *radio, const PublicKey *key, radio_advert_path_done_t done,
                           void *userdata) {
        FakeRequest *request = fake_request_new(radio, userdata, "get-advert-path %02x", key->bytes[0]);

        request->settings_done = (void *) done;
        request->answered = advert_path_answered;
}

static void connection_answered(Radio *radio, FakeRequest *request, const Outcome *outcome, Slice packet) {
        ((radio_has_connection_done_t) request->settings_done)(radio, outcome, true, request->userdata);
}

void radio_has_connection(Radio *radio, const PublicKey *key, radio_has_connection_done_t done,
                          void *userdata) {
        FakeRequest *request = fake_request_new(radio, userdata, "has-connection %02x", key->bytes[0]);

        request->settings_done = (void *) done;
        request->answered = connection_answered;
}

void radio_refresh_contact(Radio *radio, const PublicKey *key, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "refresh %02x", key->bytes[0])->done = done;
}

void radio_airtime(const Radio *radio, RadioAirtime *ret) {
        *ret = (RadioAirtime){
                        .budget_usec = 180000000, .used_usec = 170000000, .refill = 0.05, .next_usec = 42};
}

void fake_radio_hear_data(Radio *radio, bool control, const void *data, size_t size) {
        const HeardData heard = {.control = control, .snr = 7.5, .rssi = -71, .bytes = {data, size}};

        radio->manager->observer->data_heard(radio, &heard, radio->manager->userdata);
}

void fake_radio_hear_trace(Radio *radio, const NodeAnswer *answer) {
        radio->manager->observer->trace_heard(radio, answer, radio->manager->userdata);
}
