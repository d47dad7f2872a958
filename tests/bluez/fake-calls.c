/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "fake-bluez-internal.h"

/* What bluetoothd does when it is called: objects, adapters, agents. */

#define AFTER_ANSWER_USEC (20 * 1000)

static void get_managed_objects(FakeBluez *fake, sd_bus_message *call) {
        g_autoptr(sd_bus_message) reply = NULL;
        char name[32];

        OK(sd_bus_message_new_method_return(call, &reply));
        if (!fake->real) {
                (void) g_snprintf(name, sizeof(name), ":1.%u", fake->generation);
                OK(sd_bus_message_set_sender(reply, name));
        }
        if (fake->objects)
                fake->objects(fake, reply);
        else
                fake_append_objects(fake, reply);
        (void) g_ptr_array_remove(fake->pending, call);
        fake_send(fake, reply);
}

/* -- adapters ----------------------------------------------------------------------- */

static void discover(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        if (radio->adapter->n_discovering > 0 && radio->near && !radio->connected)
                fake_radio_discover(radio);
}

static char *name_session(const char *sender, const FakeAdapter *adapter) {
        return g_strdup_printf("%s %s", sender, adapter->path);
}

static void start_discovery(FakeBluez *fake, FakeAdapter *adapter, sd_bus_message *call) {
        if (!adapter->powered) {
                fake_reply_error(fake, call, FAKE_ERROR("NotReady"), "Resource Not Ready");
                return;
        }
        if (adapter->n_discovering > 0 && !fake->real)
                fake_reply_error(fake, call, FAKE_ERROR("InProgress"), "Operation already in progress");
        else {
                if (adapter->n_discovering++ == 0)
                        fake_changed(fake, adapter->path, ADAPTER, "Discovering", "b", 1);
                if (fake->real)
                        g_ptr_array_add(fake->sessions,
                                        name_session(sd_bus_message_get_sender(call), adapter));
                fake_reply(fake, call, NULL);
        }
        for (guint i = 0; i < fake->radios->len; i++) {
                FakeRadio *radio = fake->radios->pdata[i];

                if (radio->adapter == adapter)
                        fake_after(fake, fake->times.discover, discover, radio, NULL);
        }
}

static void end_discovery(FakeBluez *fake, FakeAdapter *adapter) {
        if (adapter->n_discovering == 0 || --adapter->n_discovering > 0)
                return;

        fake_changed(fake, adapter->path, ADAPTER, "Discovering", "b", 0);
        for (guint i = 0; i < fake->radios->len; i++) {
                FakeRadio *radio = fake->radios->pdata[i];

                if (radio->adapter != adapter || !radio->has_rssi)
                        continue;
                radio->has_rssi = false;
                fake_signal(fake, radio->path, PROPERTIES, "PropertiesChanged", "sa{sv}as", DEVICE, 0, 1,
                            "RSSI");
        }
}

static bool take_session(FakeBluez *fake, const char *sender, const FakeAdapter *adapter) {
        g_autofree char *session = name_session(sender, adapter);
        guint i;

        if (!g_ptr_array_find_with_equal_func(fake->sessions, session, g_str_equal, &i))
                return false;
        g_ptr_array_remove_index(fake->sessions, i);
        return true;
}

static void stop_discovery(FakeBluez *fake, FakeAdapter *adapter, sd_bus_message *call) {
        if (adapter->n_discovering == 0 ||
            (fake->real && !take_session(fake, sd_bus_message_get_sender(call), adapter))) {
                fake_reply_error(fake, call, FAKE_ERROR("Failed"), "No discovery started");
                return;
        }
        fake_reply(fake, call, NULL);
        end_discovery(fake, adapter);
}

static void gone(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        fake_radio_remove(radio);
}

/* Of a connected device the object goes when the answer is out. */
static void removed(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        if (radio->connected) {
                fake_radio_set_connected(radio, false, "org.bluez.Reason.Local");
                fake_reply(fake, call, NULL);
                fake_after(fake, AFTER_ANSWER_USEC, gone, radio, call);
                return;
        }
        fake_radio_remove(radio);
        fake_reply(fake, call, NULL);
}

static void remove_device(FakeBluez *fake, FakeAdapter *adapter, sd_bus_message *call) {
        const char *path;
        FakeRadio *radio;

        OK(sd_bus_message_read(call, "o", &path));
        radio = fake_find_radio(fake, path);
        if (!radio) {
                fake_reply_error(fake, call, FAKE_ERROR("DoesNotExist"), "Does Not Exist");
                return;
        }
        fake_after(fake, radio->connected ? fake->times.leave : 0, removed, radio, call);
}

static void adapter_call(FakeBluez *fake, FakeAdapter *adapter, const char *member, sd_bus_message *call) {
        if (strcmp(member, "StartDiscovery") == 0)
                start_discovery(fake, adapter, call);
        else if (strcmp(member, "StopDiscovery") == 0)
                stop_discovery(fake, adapter, call);
        else if (strcmp(member, "RemoveDevice") == 0)
                remove_device(fake, adapter, call);
        else if (strcmp(member, "SetDiscoveryFilter") == 0)
                fake_reply(fake, call, NULL);
        else
                fake_reply_error(fake, call, SD_BUS_ERROR_UNKNOWN_METHOD, "No such method");
}

/* -- monitors ----------------------------------------------------------------------------- */

static void hear(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        if (radio->adapter->monitor && radio->near && !radio->connected && !radio->no_uart)
                fake_radio_discover(radio);
}

/* What it listens for: the service of companion radios, as it is on the air. */
static int on_monitor(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        FakeAdapter *adapter = userdata;
        static const char bytes[] = "\x9e\xca\xdc\x24\x0e\xe5\xa9\xe0\x93\xf3\xa3\xb5\x01\x00\x40\x6e";
        const char *path, *interface, *name;
        unsigned n_patterns = 0;
        uint8_t position, type;
        const void *data;
        size_t size;

        OK(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"));
        OK(sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}"));
        OK(sd_bus_message_read(reply, "o", &path));
        OK(sd_bus_message_enter_container(reply, 'a', "{sa{sv}}"));
        while (sd_bus_message_enter_container(reply, 'e', "sa{sv}") > 0) {
                OK(sd_bus_message_read(reply, "s", &interface));
                OK(sd_bus_message_enter_container(reply, 'a', "{sv}"));
                while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                        OK(sd_bus_message_read(reply, "s", &name));
                        if (strcmp(name, "Patterns") == 0) {
                                OK(sd_bus_message_enter_container(reply, 'v', "a(yyay)"));
                                OK(sd_bus_message_enter_container(reply, 'a', "(yyay)"));
                                while (sd_bus_message_enter_container(reply, 'r', "yyay") > 0) {
                                        OK(sd_bus_message_read(reply, "yy", &position, &type));
                                        OK(sd_bus_message_read_array(reply, 'y', &data, &size));
                                        n_patterns += position == 0 && (type == 6 || type == 7) &&
                                                      size == 16 && memcmp(data, bytes, 16) == 0;
                                        OK(sd_bus_message_exit_container(reply));
                                }
                                OK(sd_bus_message_exit_container(reply));
                                OK(sd_bus_message_exit_container(reply));
                        } else
                                OK(sd_bus_message_skip(reply, "v"));
                        OK(sd_bus_message_exit_container(reply));
                }
                OK(sd_bus_message_exit_container(reply));
                OK(sd_bus_message_exit_container(reply));
        }

        for (guint i = 0; n_patterns == 2 && i < adapter->fake->radios->len; i++) {
                FakeRadio *radio = adapter->fake->radios->pdata[i];

                if (radio->adapter == adapter)
                        fake_after(adapter->fake, adapter->fake->times.discover, hear, radio, NULL);
        }
        return 0;
}

static void call_client(FakeAdapter *adapter, const char *path, const char *interface, const char *member,
                        sd_bus_message_handler_t done) {
        FakeBluez *fake = adapter->fake;
        sd_bus_message *m = NULL;
        char name[32];

        OK(sd_bus_message_new_method_call(fake->bus, &m, FAKE_CLIENT, path, interface, member));
        (void) g_snprintf(name, sizeof(name), ":1.%u", fake->generation);
        fake_call_as(fake, name, m, done, adapter);
}

static int on_released(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return 0;
}

void fake_adapter_release_monitor(FakeAdapter *adapter) {
        g_autofree char *path = g_strconcat(adapter->monitor, "/service", NULL);

        call_client(adapter, path, "org.bluez.AdvertisementMonitor1", "Release", on_released);
}

static void monitor_call(FakeBluez *fake, FakeAdapter *adapter, const char *member, sd_bus_message *call) {
        const char *path;

        OK(sd_bus_message_read(call, "o", &path));
        g_clear_pointer(&adapter->monitor, g_free);
        fake_reply(fake, call, NULL);
        if (strcmp(member, "RegisterMonitor") != 0)
                return;
        adapter->monitor = g_strdup(path);
        call_client(adapter, path, OBJECT_MANAGER, "GetManagedObjects", on_monitor);
}

/* -- properties ------------------------------------------------------------------------ */

static void set_property(FakeBluez *fake, sd_bus_message *call) {
        const char *path = sd_bus_message_get_path(call), *interface, *property;
        FakeAdapter *adapter = fake_find_adapter(fake, path);
        FakeRadio *radio = fake_find_radio(fake, path);
        int value;

        OK(sd_bus_message_read(call, "ssv", &interface, &property, "b", &value));
        if (adapter && strcmp(property, "Powered") == 0)
                fake_adapter_set_powered(adapter, value);
        else if (adapter && strcmp(property, "Pairable") == 0) {
                adapter->pairable = value;
                fake_changed(fake, path, ADAPTER, property, "b", value);
        } else if (radio && strcmp(property, "Trusted") == 0) {
                radio->trusted = value;
                fake_changed(fake, path, DEVICE, property, "b", value);
        } else {
                fake_reply_error(fake, call, SD_BUS_ERROR_UNKNOWN_OBJECT, "No such object");
                return;
        }
        fake_reply(fake, call, NULL);
}

/* -- agents ------------------------------------------------------------------------------ */

static FakeAgent *find_agent(FakeBluez *fake, sd_bus_message *call, guint *ret_index) {
        for (guint i = 0; i < fake->agents->len; i++) {
                FakeAgent *agent = fake->agents->pdata[i];

                if (g_strcmp0(agent->sender, sd_bus_message_get_sender(call)) != 0)
                        continue;
                if (ret_index)
                        *ret_index = i;
                return agent;
        }
        return NULL;
}

static void agent_manager_call(FakeBluez *fake, const char *member, sd_bus_message *call) {
        const char *path;
        FakeAgent *agent;
        guint i;

        OK(sd_bus_message_read(call, "o", &path));
        if (strcmp(member, "RegisterAgent") == 0) {
                if (find_agent(fake, call, NULL)) {
                        fake_reply_error(fake, call, FAKE_ERROR("AlreadyExists"), "Already Exists");
                        return;
                }
                agent = g_new(FakeAgent, 1);
                *agent = (FakeAgent){.sender = g_strdup(sd_bus_message_get_sender(call)),
                                     .path = g_strdup(path)};
                g_ptr_array_add(fake->agents, agent);
                fake_reply(fake, call, NULL);
        } else if (strcmp(member, "UnregisterAgent") == 0 && find_agent(fake, call, &i)) {
                g_ptr_array_remove_index(fake->agents, i);
                fake_reply(fake, call, NULL);
        } else
                fake_reply_error(fake, call, FAKE_ERROR("DoesNotExist"), "Does Not Exist");
}

/* What a client had goes with it. */
void fake_client_gone(FakeBluez *fake, const char *sender) {
        for (guint i = fake->agents->len; i > 0; i--)
                if (g_strcmp0(((const FakeAgent *) fake->agents->pdata[i - 1])->sender, sender) == 0)
                        g_ptr_array_remove_index(fake->agents, i - 1);
        for (guint i = 0; i < fake->adapters->len; i++)
                while (take_session(fake, sender, fake->adapters->pdata[i]))
                        end_discovery(fake, fake->adapters->pdata[i]);
}

/* -- all --------------------------------------------------------------------------------------- */

void fake_handle(FakeBluez *fake, sd_bus_message *call) {
        const char *path = sd_bus_message_get_path(call), *member = sd_bus_message_get_member(call);
        const char *interface = sd_bus_message_get_interface(call);
        FakeAdapter *adapter = fake_find_adapter(fake, path);
        FakeRadio *radio = fake_find_radio(fake, path);

        if (g_strcmp0(interface, OBJECT_MANAGER) == 0)
                get_managed_objects(fake, call);
        else if (g_strcmp0(interface, PROPERTIES) == 0 && strcmp(member, "Set") == 0)
                set_property(fake, call);
        else if (g_strcmp0(interface, "org.freedesktop.DBus.Peer") == 0)
                fake_reply(fake, call, NULL);
        else if (g_strcmp0(interface, "org.bluez.AgentManager1") == 0)
                agent_manager_call(fake, member, call);
        else if (g_strcmp0(interface, "org.bluez.AdvertisementMonitorManager1") == 0 && adapter &&
                 adapter->monitors)
                monitor_call(fake, adapter, member, call);
        else if (g_strcmp0(interface, ADAPTER) == 0 && adapter)
                adapter_call(fake, adapter, member, call);
        else if (g_strcmp0(interface, DEVICE) == 0 && radio)
                fake_device_call(fake, radio, member, call);
        else if (g_strcmp0(interface, CHARACTERISTIC) == 0 && radio && radio->has_services)
                fake_characteristic_call(fake, radio, member, call);
        else
                fake_reply_error(fake, call, SD_BUS_ERROR_UNKNOWN_OBJECT, "Method doesn't exist");
}
