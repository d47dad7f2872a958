/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-node.h"
#include "clock.h"
#include "mesh-api.h"

/* The part of the Monitor interface that asks the mesh around, or puts bytes on air; and what a radio knows
 * of a contact without asking anybody. */

#define COLLECT_DEFAULT_USEC (15 * USEC_PER_SEC)

/* -- signals ---------------------------------------------------------------- */

void bus_emit_data(BusRadio *self, const HeardData *data) {
        sd_bus_message *signal = bus_optional_signal_new(self->bus, self->path, BUS_MONITOR,
                                                         data->control ? "ControlData" : "RawData");
        int r;

        if (!signal)
                return;

        r = sd_bus_message_append_array(signal, 'y', data->bytes.data, data->bytes.size);
        if (r >= 0)
                r = sd_bus_message_append(signal, "a{sv}", 2, "Snr", "d", data->snr, "Rssi", "i", data->rssi);
        bus_signal_send(self->bus, signal, r);
}

void bus_emit_trace(BusRadio *self, const NodeAnswer *answer) {
        sd_bus_message *signal = bus_optional_signal_new(self->bus, self->path, BUS_MONITOR, "Traced");

        if (signal)
                bus_signal_send(self->bus, signal, bus_append_node_list(signal, self, answer));
}

/* -- traces and discoveries ---------------------------------------------------- */

/* An aay into one piece; all hops have one length. */
static int read_hashes(sd_bus_message *m, uint8_t *ret, size_t capacity, NodeQuery *query,
                       sd_bus_error *error) {
        const void *bytes;
        size_t size, n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "ay");
        if (r < 0)
                return bus_error_arguments(error, r);

        while ((r = sd_bus_message_read_array(m, 'y', &bytes, &size)) > 0) {
                if (size == 0 || size > NODE_TRACE_HASH_MAX || (n > 0 && size != query->hash_size))
                        return bus_error_set(
                                        error, OUTCOME_INVALID_ARGUMENTS,
                                        "A hop of the path has %zu bytes; it has 1, 2, 4 or 8, and all have "
                                        "the same",
                                        size);
                if (n + size > capacity)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                             "The path has more than %d hops", NODE_TRACE_HOPS_MAX);
                query->hash_size = (uint8_t) size;
                memcpy(ret + n, bytes, size);
                n += size;
        }
        if (r < 0)
                return bus_error_arguments(error, r);
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return bus_error_arguments(error, r);

        query->data = (Slice){ret, n};
        return 0;
}

static int method_trace_path(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        uint8_t hashes[NODE_TRACE_HOPS_MAX * NODE_TRACE_HASH_MAX];
        NodeQuery query = {.operation = NODE_OPERATION_TRACE, .hash_size = 1};
        const char *token = NULL;
        int poll = false;
        const BusOption options[] = {
                        {"RequestToken", "s", &token}, {"Poll", "b", &poll}, {"AuthCode", "u", &query.auth}};
        int r;

        r = read_hashes(call, hashes, sizeof(hashes), &query, error);
        if (r < 0)
                return r;
        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        query.poll = poll;
        return bus_request_begin(userdata, call, &query, token, error);
}

static int read_types(sd_bus_message *m, const char *signature, void *ret, sd_bus_error *error) {
        const char *text;
        uint8_t *types = ret;
        int r;

        *types = 0;
        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return bus_error_arguments(error, r);
        while ((r = sd_bus_message_read_basic(m, 's', &text)) > 0) {
                unsigned type = CONTACT_CHAT;

                while (type < _CONTACT_TYPE_MAX && strcmp(contact_type_to_string(type), text) != 0)
                        type++;
                if (type == _CONTACT_TYPE_MAX)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                             "Types are chat, repeater, room and sensor, not \"%s\"", text);
                *types |= (uint8_t) (1U << type);
        }
        if (r < 0)
                return bus_error_arguments(error, r);
        return sd_bus_message_exit_container(m);
}

static int method_discover_nodes(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        NodeQuery query = {
                        .operation = NODE_OPERATION_DISCOVER,
                        .types = 1 << CONTACT_REPEATER | 1 << CONTACT_ROOM | 1 << CONTACT_SENSOR,
                        .collect_usec = COLLECT_DEFAULT_USEC,
        };
        const char *token = NULL;
        int poll = false, prefix_only = false;
        uint64_t since = 0;
        const BusOption options[] = {
                        {"RequestToken", "s", &token},
                        {"Poll", "b", &poll},
                        {"Types", "as", &query.types, read_types},
                        {"PrefixOnly", "b", &prefix_only},
                        {"SinceUSec", "t", &since},
                        {"WaitUSec", "t", &query.collect_usec},
        };
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        query.poll = poll;
        query.prefix_only = prefix_only;
        query.since = (uint32_t) MIN(since / USEC_PER_SEC, UINT32_MAX);
        return bus_request_begin(userdata, call, &query, token, error);
}

/* -- bytes ------------------------------------------------------------------------ */

static int method_send_raw(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        PathHop path[CONTACT_PATH_HOPS_MAX];
        BusCaller *caller;
        size_t n_path;
        Slice data;
        int r;

        r = bus_read_path(call, path, &n_path, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read_array(call, 'y', (const void **) &data.data, &data.size);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        radio_send_raw(self->radio, path, n_path, data, bus_answer, caller);
        return 1;
}

static int method_send_control(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        Slice data;
        int r;

        r = sd_bus_message_read_array(call, 'y', (const void **) &data.data, &data.size);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        radio_send_control(self->radio, data, bus_answer, caller);
        return 1;
}

static int method_send_packet(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        uint8_t priority;
        Slice packet;
        int r;

        r = sd_bus_message_read(call, "y", &priority);
        if (r >= 0)
                r = sd_bus_message_read_array(call, 'y', (const void **) &packet.data, &packet.size);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        radio_send_packet(self->radio, priority, packet, bus_answer, caller);
        return 1;
}

/* -- of a contact ---------------------------------------------------------------------- */

static void advert_path_done(Radio *radio, const Outcome *outcome, uint64_t heard_usec, const PathHop *path,
                             size_t n_path, void *userdata) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(BusCaller) caller = userdata;
        int r;

        r = bus_answer_new(caller, outcome, &reply);
        if (r <= 0)
                return;

        r = sd_bus_message_append(reply, "t", heard_usec);
        if (r >= 0)
                r = bus_append_hops(reply, path, n_path);
        bus_answer_send(reply, r);
}

int bus_method_get_advert_path(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const BusContact *self = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(self->radio->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        radio_get_advert_path(self->radio->radio, &self->contact->key, advert_path_done, caller);
        return 1;
}

static void has_connection_done(Radio *radio, const Outcome *outcome, bool connected, void *userdata) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(BusCaller) caller = userdata;
        int r;

        r = bus_answer_new(caller, outcome, &reply);
        if (r > 0)
                bus_answer_send(reply, sd_bus_message_append(reply, "b", (int) connected));
}

int bus_method_has_connection(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const BusContact *self = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(self->radio->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        radio_has_connection(self->radio->radio, &self->contact->key, has_connection_done, caller);
        return 1;
}

int bus_method_refresh(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const BusContact *self = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(self->radio->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        radio_refresh_contact(self->radio->radio, &self->contact->key, bus_answer, caller);
        return 1;
}

const sd_bus_vtable bus_mesh_vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD_WITH_ARGS("TracePath", SD_BUS_ARGS("aay", path, "a{sv}", options),
                                        SD_BUS_RESULT("aa{sv}", hops), method_trace_path,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("DiscoverNodes", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("aa{sv}", nodes), method_discover_nodes,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SendRaw", SD_BUS_ARGS("aay", path, "ay", payload), SD_BUS_NO_RESULT,
                                        method_send_raw, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SendControl", SD_BUS_ARGS("ay", payload), SD_BUS_NO_RESULT,
                                        method_send_control, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SendPacket", SD_BUS_ARGS("y", priority, "ay", packet),
                                        SD_BUS_NO_RESULT, method_send_packet, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_SIGNAL_WITH_ARGS("RawData", SD_BUS_ARGS("ay", payload, "a{sv}", reception), 0),
                SD_BUS_SIGNAL_WITH_ARGS("ControlData", SD_BUS_ARGS("ay", payload, "a{sv}", reception), 0),
                SD_BUS_SIGNAL_WITH_ARGS("Traced", SD_BUS_ARGS("aa{sv}", hops), 0),
                SD_BUS_VTABLE_END,
};
