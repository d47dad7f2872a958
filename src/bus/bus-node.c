/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-node.h"
#include "clock.h"

/* What repeaters, rooms and sensors can be asked. */

bool bus_contact_is_node(const Contact *contact) {
        return contact->type == CONTACT_REPEATER || contact->type == CONTACT_ROOM ||
               contact->type == CONTACT_SENSOR;
}

/* -- properties ------------------------------------------------------------ */

static const NodeState *node_state(void *userdata) {
        const BusContact *self = userdata;

        return radio_node_state(self->radio->radio, &self->contact->key);
}

BUS_GETTER(logged_in) {
        return sd_bus_message_append(reply, "b", (int) node_state(userdata)->logged_in);
}

BUS_GETTER(permissions) {
        return sd_bus_message_append(reply, "s", node_state(userdata)->permissions);
}

BUS_GETTER(status) {
        return bus_append_node_record(reply, ((const BusContact *) userdata)->radio,
                                      node_state(userdata)->status);
}

BUS_GETTER(status_usec) {
        return sd_bus_message_append(reply, "t", node_state(userdata)->status_usec);
}

BUS_GETTER(telemetry) {
        return bus_append_node_list(reply, ((const BusContact *) userdata)->radio,
                                    node_state(userdata)->telemetry);
}

BUS_GETTER(telemetry_usec) {
        return sd_bus_message_append(reply, "t", node_state(userdata)->telemetry_usec);
}

void bus_node_changed(BusRadio *self, const PublicKey *key, unsigned what) {
        g_autofree char *path = bus_path_contact(self, key);

        if (what & NODE_CHANGED_LOGIN) {
                bus_queue_changed(self->bus, path, BUS_NODE, "LoggedIn");
                bus_queue_changed(self->bus, path, BUS_NODE, "Permissions");
        }
        if (what & NODE_CHANGED_STATUS) {
                bus_queue_changed(self->bus, path, BUS_NODE, "Status");
                bus_queue_changed(self->bus, path, BUS_NODE, "StatusUSec");
        }
        if (what & NODE_CHANGED_TELEMETRY) {
                bus_queue_changed(self->bus, path, BUS_NODE, "Telemetry");
                bus_queue_changed(self->bus, path, BUS_NODE, "TelemetryUSec");
        }
}

void bus_emit_node_result(BusRadio *self, const PublicKey *key, const NodeAnswer *answer) {
        const Contact *contact = self->identity ? identity_get_contact(self->identity, key) : NULL;
        g_autofree char *path = NULL;
        sd_bus_message *signal;
        int r;

        /* What a command line answers may be a password. */
        if (!contact || !bus_contact_is_node(contact) || answer->operation == NODE_OPERATION_COMMAND)
                return;

        path = bus_path_contact(self, key);
        signal = bus_optional_signal_new(self->bus, path, BUS_NODE, "Result");
        if (!signal)
                return;
        r = sd_bus_message_append(signal, "s", node_operation_to_string(answer->operation));
        if (r >= 0)
                r = bus_append_node_result(signal, self, answer);
        bus_signal_send(self->bus, signal, r);
}

/* -- methods --------------------------------------------------------------- */

typedef struct Common {
        const char *token;
        int poll, flag; /* flag: the operation's own */
} Common;

/* What all of them take. */
#define COMMON_OPTIONS(c)                    \
        {"RequestToken", "s", &(c).token}, { \
                "Poll", "b", &(c).poll       \
        }

static NodeQuery query_new(const BusContact *self, NodeOperation operation) {
        return (NodeQuery){.operation = operation, .key = self->contact->key};
}

static int ask(sd_bus_message *call, const BusContact *self, NodeQuery *query, const Common *common,
               sd_bus_error *error) {
        query->poll = common->poll;
        return bus_request_begin(self->radio, call, query, common->token, error);
}

/* flag is the name of the one option of its own, or NULL. */
static int ask_simple(sd_bus_message *call, void *userdata, NodeOperation operation, const char *flag,
                      sd_bus_error *error) {
        Common common = {};
        const BusOption options[] = {COMMON_OPTIONS(common), {flag ?: "", "b", &common.flag}};
        NodeQuery query = query_new(userdata, operation);
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options) - !flag, error);
        if (r < 0)
                return r;
        query.legacy = query.in_full = common.flag;
        return ask(call, userdata, &query, &common, error);
}

static int method_login(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Common common = {};
        const BusOption options[] = {COMMON_OPTIONS(common), {"Force", "b", &common.flag}};
        NodeQuery query = query_new(userdata, NODE_OPERATION_LOGIN);
        int r;

        r = sd_bus_message_sensitive(call);
        if (r >= 0)
                r = sd_bus_message_read(call, "s", &query.text);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        query.insist = common.flag;
        return ask(call, userdata, &query, &common, error);
}

static int method_logout(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        NodeQuery query = query_new(userdata, NODE_OPERATION_LOGOUT);

        return ask(call, userdata, &query, &(const Common){}, error);
}

static int method_get_status(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return ask_simple(call, userdata, NODE_OPERATION_STATUS, "Legacy", error);
}

static int method_get_telemetry(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return ask_simple(call, userdata, NODE_OPERATION_TELEMETRY, "Legacy", error);
}

static int method_get_access_list(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return ask_simple(call, userdata, NODE_OPERATION_ACCESS_LIST, NULL, error);
}

static int method_get_owner(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return ask_simple(call, userdata, NODE_OPERATION_OWNER, "Full", error);
}

static int method_get_regions(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return ask_simple(call, userdata, NODE_OPERATION_REGIONS, NULL, error);
}

static int method_get_basic(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return ask_simple(call, userdata, NODE_OPERATION_BASIC, NULL, error);
}

static uint32_t seconds_ago(uint64_t usec) {
        uint64_t now = clock_realtime_usec();

        return usec == 0 || usec >= now ? 0 : (uint32_t) MIN((now - usec) / USEC_PER_SEC, UINT32_MAX);
}

static int method_get_min_max_avg(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Common common = {};
        const BusOption options[] = {COMMON_OPTIONS(common)};
        NodeQuery query = query_new(userdata, NODE_OPERATION_MIN_MAX_AVG);
        uint64_t from, until;
        int r;

        r = sd_bus_message_read(call, "tt", &from, &until);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        query.start_secs_ago = seconds_ago(from);
        query.end_secs_ago = seconds_ago(until);
        return ask(call, userdata, &query, &common, error);
}

static int method_get_neighbours(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        static const char *const orders[] = {"newest", "oldest", "strongest", "weakest"};
        const char *order = orders[0];
        Common common = {};
        NodeQuery query = query_new(userdata, NODE_OPERATION_NEIGHBOURS);
        const BusOption options[] = {COMMON_OPTIONS(common),
                                     {"Order", "s", &order},
                                     {"Limit", "y", &query.max_count},
                                     {"PrefixBytes", "y", &query.prefix_length}};
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        while (query.order < ELEMENTSOF(orders) && strcmp(orders[query.order], order) != 0)
                query.order++;
        return ask(call, userdata, &query, &common, error);
}

static int method_command(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Common common = {};
        const BusOption options[] = {COMMON_OPTIONS(common)};
        NodeQuery query = query_new(userdata, NODE_OPERATION_COMMAND);
        int r;

        /* Commands set passwords. */
        r = sd_bus_message_sensitive(call);
        if (r >= 0)
                r = sd_bus_message_read(call, "s", &query.text);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        return ask(call, userdata, &query, &common, error);
}

static int method_request(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Common common = {};
        const BusOption options[] = {COMMON_OPTIONS(common)};
        NodeQuery query = query_new(userdata, NODE_OPERATION_REQUEST);
        const void *data;
        int r;

        r = sd_bus_message_read_array(call, 'y', &data, &query.data.size);
        if (r < 0)
                return bus_error_arguments(error, r);
        query.data.data = data;
        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        return ask(call, userdata, &query, &common, error);
}

int bus_method_discover_path(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return ask_simple(call, userdata, NODE_OPERATION_PATH, NULL, error);
}

#define CHANGES(name, type, getter) BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
const sd_bus_vtable bus_node_vtable[] = {
                SD_BUS_VTABLE_START(0),
                CHANGES("LoggedIn", "b", logged_in),
                CHANGES("Permissions", "s", permissions),
                CHANGES("Status", "a{sv}", status),
                CHANGES("StatusUSec", "t", status_usec),
                CHANGES("Telemetry", "aa{sv}", telemetry),
                CHANGES("TelemetryUSec", "t", telemetry_usec),
                SD_BUS_METHOD_WITH_ARGS("Login", SD_BUS_ARGS("s", password, "a{sv}", options),
                                        SD_BUS_RESULT("a{sv}", result), method_login,
                                        SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD_WITH_ARGS("Logout", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_logout,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetStatus", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("a{sv}", status), method_get_status,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetTelemetry", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("aa{sv}", values), method_get_telemetry,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetMinMaxAvg", SD_BUS_ARGS("t", from, "t", until, "a{sv}", options),
                                        SD_BUS_RESULT("aa{sv}", series), method_get_min_max_avg,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetAccessList", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("aa{sv}", entries), method_get_access_list,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetNeighbours", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("aa{sv}", neighbours), method_get_neighbours,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetOwner", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("a{sv}", owner), method_get_owner,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetRegions", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("a{sv}", regions), method_get_regions,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetBasic", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("a{sv}", basic), method_get_basic,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("HasConnection", SD_BUS_NO_ARGS, SD_BUS_RESULT("b", connected),
                                        bus_method_has_connection, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Command", SD_BUS_ARGS("s", command, "a{sv}", options),
                                        SD_BUS_RESULT("s", answer), method_command,
                                        SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD_WITH_ARGS("Request", SD_BUS_ARGS("ay", request, "a{sv}", options),
                                        SD_BUS_RESULT("ay", answer), method_request,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_SIGNAL_WITH_ARGS("Result", SD_BUS_ARGS("s", operation, "a{sv}", result), 0),
                SD_BUS_VTABLE_END,
};
