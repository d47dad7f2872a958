/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <string.h>

#include "bluez-internal.h"
#include "log.h"
#include "macros.h"

/* bluetoothd has one agent a connection, and makes the first one of all the default by itself: then it
 * is asked about everybody's devices, and must refuse those that are not ours. */

#define AGENT_PATH      "/org/meshcored1/agent"
#define AGENT_INTERFACE "org.bluez.Agent1"
#define AGENT_MANAGER   "org.bluez.AgentManager1"
#define AGENT_CALL_USEC (10 * USEC_PER_SEC)

struct BluezAgent {
        Bluez *bluez; /* NULL: bluetoothd went */
        char *device;
        BluezAgentHandler handler;
        bluez_agent_ready_t ready; /* NULL once it was told */
        void *userdata;
};

static BluezAgent *find_agent(Bluez *bluez, const char *device) {
        for (guint i = 0; i < bluez->agents->len; i++) {
                BluezAgent *agent = bluez->agents->pdata[i];

                if (strcmp(agent->device, device) == 0)
                        return agent;
        }
        return NULL;
}

/* -- questions of bluetoothd --------------------------------------------------------- */

static int refuse(sd_bus_error *error, const char *why) {
        return sd_bus_error_set(error, "org.bluez.Error.Rejected", why);
}

/* The device that is asked about, if it is bluetoothd that asks, and about one of ours. */
static int read_device(Bluez *bluez, sd_bus_message *call, BluezAgent **ret, sd_bus_error *error) {
        const char *device;
        int r;

        if (g_strcmp0(sd_bus_message_get_sender(call), bluez->owner) != 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                                        "Only the Bluetooth service asks here");

        r = sd_bus_message_read(call, "o", &device);
        if (r < 0)
                return r;

        *ret = find_agent(bluez, device);
        if (!*ret) {
                log_debug("Bluetooth service asks about %s, which is not ours: refused", device);
                return refuse(error, "Not a device of this agent");
        }
        return 0;
}

static int get_passkey(sd_bus_message *call, Bluez *bluez, uint32_t *ret, sd_bus_error *error) {
        BluezAgent *agent;
        int r;

        r = read_device(bluez, call, &agent, error);
        if (r < 0)
                return r;
        if (agent->handler.passkey(agent->userdata, ret) < 0)
                return refuse(error, "There is no PIN");
        return 0;
}

/* sd-bus wipes it when it is sent. */
static int send_secret(sd_bus_message *call, const char *types, ...) {
        g_autoptr(sd_bus_message) reply = NULL;
        va_list ap;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_sensitive(reply);
        if (r < 0)
                return r;

        va_start(ap, types);
        r = sd_bus_message_appendv(reply, types, ap);
        va_end(ap);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        return r;
}

static int method_request_passkey(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        uint32_t passkey = 0;
        int r;

        r = get_passkey(call, userdata, &passkey, error);
        if (r >= 0)
                r = send_secret(call, "u", passkey);
        explicit_bzero(&passkey, sizeof(passkey));
        return r;
}

static int method_request_pin_code(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        char text[sizeof("4294967295")];
        uint32_t passkey = 0;
        int r;

        r = get_passkey(call, userdata, &passkey, error);
        (void) g_snprintf(text, sizeof(text), "%06u", passkey);
        if (r >= 0)
                r = send_secret(call, "s", text);
        explicit_bzero(&passkey, sizeof(passkey));
        explicit_bzero(text, sizeof(text));
        return r;
}

/* A radio shows a PIN and we type it (wire reference 1.3): both families have a display for that, or pretend
 * to, and nothing else. To compare numbers needs a person, and to pair without any (just works) lets in
 * whoever bears the radio's address; the firmware refuses to talk over such a bond, too. */
static int method_request_confirmation(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BluezAgent *agent;
        int r;

        r = read_device(userdata, call, &agent, error);
        if (r < 0)
                return r;
        if (agent->handler.unproven)
                agent->handler.unproven(agent->userdata);
        return refuse(error, "A companion radio is paired by its PIN");
}

/* Shown to nobody; the other side is to type it. */
static int method_display(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BluezAgent *agent;
        int r;

        r = read_device(userdata, call, &agent, error);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(call, NULL);
}

static int method_authorize(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return method_display(call, userdata, error);
}

static int method_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Bluez *bluez = userdata;

        if (g_strcmp0(sd_bus_message_get_sender(call), bluez->owner) == 0)
                for (guint i = 0; i < bluez->agents->len; i++) {
                        BluezAgent *agent = bluez->agents->pdata[i];

                        if (agent->handler.cancelled)
                                agent->handler.cancelled(agent->userdata);
                }
        return sd_bus_reply_method_return(call, NULL);
}

static int method_release(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(call, NULL);
}

#define METHOD(name, signature, result, handler) \
        SD_BUS_METHOD(name, signature, result, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable agent_vtable[] = {
                SD_BUS_VTABLE_START(0),
                METHOD("Release", "", "", method_release),
                METHOD("RequestPinCode", "o", "s", method_request_pin_code),
                METHOD("DisplayPinCode", "os", "", method_display),
                METHOD("RequestPasskey", "o", "u", method_request_passkey),
                METHOD("DisplayPasskey", "ouq", "", method_display),
                METHOD("RequestConfirmation", "ou", "", method_request_confirmation),
                METHOD("RequestAuthorization", "o", "", method_request_confirmation),
                METHOD("AuthorizeService", "os", "", method_authorize),
                METHOD("Cancel", "", "", method_cancel),
                SD_BUS_VTABLE_END,
};

/* -- registration ---------------------------------------------------------------------- */

/* Each may free itself or another one. */
static void tell_ready(Bluez *bluez, int error) {
        for (guint i = 0; i < bluez->agents->len;) {
                BluezAgent *agent = bluez->agents->pdata[i];
                bluez_agent_ready_t ready = agent->ready;

                if (!ready) {
                        i++;
                        continue;
                }
                agent->ready = NULL;
                ready(error, agent->userdata);
                i = 0;
        }
}

static int on_registered(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Bluez *bluez = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        bluez->agent_call = sd_bus_slot_unref(bluez->agent_call);
        if (e && !sd_bus_error_has_name(e, "org.bluez.Error.AlreadyExists")) {
                log_debug("Cannot register a pairing agent: %s: %s", e->name, e->message);
                bluez->agent_state = AGENT_OFF;
                tell_ready(bluez, -sd_bus_error_get_errno(e));
                return 0;
        }

        bluez->agent_state = AGENT_ON;
        tell_ready(bluez, 0);
        return 0;
}

static int register_agent(Bluez *bluez) {
        g_autoptr(sd_bus_message) m = NULL;
        int r = 0;

        if (!bluez->bus)
                return -ENOTCONN;
        if (!bluez->agent_object)
                r = sd_bus_add_object_vtable(bluez->bus, &bluez->agent_object, AGENT_PATH, AGENT_INTERFACE,
                                             agent_vtable, bluez);
        if (r >= 0)
                r = bluez_message(bluez, "/org/bluez", AGENT_MANAGER, "RegisterAgent", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "os", AGENT_PATH, "KeyboardDisplay");
        if (r >= 0)
                r = bluez_call(bluez, &bluez->agent_call, m, on_registered, bluez, AGENT_CALL_USEC);
        if (r < 0)
                return r;

        bluez->agent_state = AGENT_REGISTERING;
        return 0;
}

static void unregister_agent(Bluez *bluez) {
        g_autoptr(sd_bus_message) m = NULL;

        if (bluez->agent_state == AGENT_OFF)
                return;

        bluez->agent_state = AGENT_OFF;
        bluez->agent_call = sd_bus_slot_unref(bluez->agent_call);
        if (bluez_message(bluez, "/org/bluez", AGENT_MANAGER, "UnregisterAgent", &m) >= 0 &&
            sd_bus_message_append(m, "o", AGENT_PATH) >= 0)
                bluez_tell(bluez, m);
}

static int on_ready_now(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Bluez *bluez = userdata;

        bluez->agent_call = sd_bus_slot_unref(bluez->agent_call);
        tell_ready(bluez, 0);
        return 0;
}

int bluez_agent_new(Bluez *bluez, const char *device, const BluezAgentHandler *handler,
                    bluez_agent_ready_t ready, void *userdata, BluezAgent **ret) {
        BluezAgent *agent;
        int r = 0;

        if (find_agent(bluez, device))
                return -EBUSY;

        if (bluez->agent_state == AGENT_OFF)
                r = register_agent(bluez);
        else if (bluez->agent_state == AGENT_ON && !bluez->agent_call) {
                g_autoptr(sd_bus_message) m = NULL;

                /* Whatever answers, comes back through the loop. */
                r = bluez_message(bluez, "/org/bluez", "org.freedesktop.DBus.Peer", "Ping", &m);
                if (r >= 0)
                        r = bluez_call(bluez, &bluez->agent_call, m, on_ready_now, bluez, AGENT_CALL_USEC);
        }
        if (r < 0)
                return r;

        agent = g_new(BluezAgent, 1);
        *agent = (BluezAgent){
                        .bluez = bluez,
                        .device = g_strdup(device),
                        .handler = *handler,
                        .ready = ready,
                        .userdata = userdata,
        };
        g_ptr_array_add(bluez->agents, agent);
        *ret = agent;
        return 0;
}

BluezAgent *bluez_agent_free(BluezAgent *agent) {
        if (!agent)
                return NULL;

        if (agent->bluez) {
                (void) g_ptr_array_remove(agent->bluez->agents, agent);
                if (agent->bluez->agents->len == 0)
                        unregister_agent(agent->bluez);
        }
        g_free(agent->device);
        g_free(agent);
        return NULL;
}

void bluez_agents_lost(Bluez *bluez) {
        bluez->agent_state = AGENT_OFF;
        bluez->agent_call = sd_bus_slot_unref(bluez->agent_call);
        for (guint i = 0; i < bluez->agents->len; i++)
                ((BluezAgent *) bluez->agents->pdata[i])->bluez = NULL;
        g_ptr_array_set_size(bluez->agents, 0);
}
