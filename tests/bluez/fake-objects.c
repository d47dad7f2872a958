/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "fake-bluez-internal.h"

/* bluetoothd's objects: how they look on the bus, and how they change. */

void fake_changed(FakeBluez *fake, const char *path, const char *interface, const char *property,
                  const char *types, ...) {
        sd_bus_message *m;
        va_list ap;

        if (!fake->bus || !fake->running)
                return;

        m = fake_signal_new(fake, path, PROPERTIES, "PropertiesChanged");
        OK(sd_bus_message_append(m, "s", interface));
        OK(sd_bus_message_open_container(m, 'a', "{sv}"));
        OK(sd_bus_message_open_container(m, 'e', "sv"));
        OK(sd_bus_message_append(m, "s", property));
        OK(sd_bus_message_open_container(m, 'v', types));
        va_start(ap, types);
        OK(sd_bus_message_appendv(m, types, ap));
        va_end(ap);
        for (unsigned i = 0; i < 3; i++)
                OK(sd_bus_message_close_container(m));
        OK(sd_bus_message_append(m, "as", 0));
        fake_signal_send(fake, m);
}

/* -- writing ------------------------------------------------------------------------ */

static void append_adapter(const FakeAdapter *adapter, sd_bus_message *m) {
        OK(sd_bus_message_append(m, "{sa{sv}}", ADAPTER, 6, "Address", "s", adapter->address, "Alias", "s",
                                 "host", "Modalias", "s", "usb:v1D6Bp0246d0542", "Powered", "b",
                                 (int) adapter->powered, "Pairable", "b", (int) adapter->pairable,
                                 "Discovering", "b", (int) (adapter->n_discovering > 0)));
        if (adapter->monitors)
                OK(sd_bus_message_append(m, "{sa{sv}}", "org.bluez.AdvertisementMonitorManager1", 1,
                                         "SupportedMonitorTypes", "as", 1, "or_patterns"));
}

static void append_device(const FakeRadio *radio, sd_bus_message *m) {
        OK(sd_bus_message_open_container(m, 'e', "sa{sv}"));
        OK(sd_bus_message_append(m, "s", DEVICE));
        OK(sd_bus_message_open_container(m, 'a', "{sv}"));
        OK(sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "Adapter", "o", radio->adapter->path,
                                 "Address", "s", radio->address, "AddressType", "s", "random", "Alias", "s",
                                 radio->name, "Paired", "b", (int) radio->paired, "Trusted", "b",
                                 (int) radio->trusted, "Connected", "b", (int) radio->connected,
                                 "ServicesResolved", "b", (int) radio->resolved));
        if (*radio->name)
                OK(sd_bus_message_append(m, "{sv}", "Name", "s", radio->name));
        OK(sd_bus_message_append(m, "{sv}", "UUIDs", "as", 1, radio->no_uart ? "180f" : NUS_SERVICE));
        if (!radio->fake->no_bonded)
                OK(sd_bus_message_append(m, "{sv}", "Bonded", "b", (int) radio->paired));
        if (radio->has_rssi)
                OK(sd_bus_message_append(m, "{sv}", "RSSI", "n", (int) -60));
        OK(sd_bus_message_close_container(m));
        OK(sd_bus_message_close_container(m));
}

static void append_characteristic(const FakeRadio *radio, bool tx, sd_bus_message *m) {
        OK(sd_bus_message_append(m, "{sa{sv}}", CHARACTERISTIC, 2, "UUID", "s", tx ? NUS_TX : NUS_RX, "Flags",
                                 "as", 1,
                                 tx                        ? "notify"
                                 : radio->no_write_command ? "write"
                                                           : "write-without-response"));
}

static void append_object(sd_bus_message *m, const char *path) {
        OK(sd_bus_message_append(m, "o", path));
        OK(sd_bus_message_open_container(m, 'a', "{sa{sv}}"));
}

static char *characteristic_path(const FakeRadio *radio, bool tx) {
        return g_strdup_printf("%s/service0010/char%s", radio->path, tx ? "0013" : "0011");
}

void fake_append_objects(FakeBluez *fake, sd_bus_message *m) {
        OK(sd_bus_message_open_container(m, 'a', "{oa{sa{sv}}}"));
        OK(sd_bus_message_append(m, "{oa{sa{sv}}}", "/org/bluez", 1, "org.bluez.AgentManager1", 0));
        for (guint i = 0; i < fake->adapters->len; i++) {
                const FakeAdapter *adapter = fake->adapters->pdata[i];

                if (!adapter->present)
                        continue;
                OK(sd_bus_message_open_container(m, 'e', "oa{sa{sv}}"));
                append_object(m, adapter->path);
                append_adapter(adapter, m);
                OK(sd_bus_message_close_container(m));
                OK(sd_bus_message_close_container(m));
        }
        for (guint i = 0; i < fake->radios->len; i++) {
                const FakeRadio *radio = fake->radios->pdata[i];

                if (!radio->known || !radio->adapter->present)
                        continue;
                OK(sd_bus_message_open_container(m, 'e', "oa{sa{sv}}"));
                append_object(m, radio->path);
                append_device(radio, m);
                OK(sd_bus_message_close_container(m));
                OK(sd_bus_message_close_container(m));
                for (unsigned tx = 0; radio->has_services && tx < 2; tx++) {
                        g_autofree char *path = characteristic_path(radio, tx);

                        OK(sd_bus_message_open_container(m, 'e', "oa{sa{sv}}"));
                        append_object(m, path);
                        append_characteristic(radio, tx, m);
                        OK(sd_bus_message_close_container(m));
                        OK(sd_bus_message_close_container(m));
                }
        }
        OK(sd_bus_message_close_container(m));
}

/* -- coming and going ------------------------------------------------------------------ */

static sd_bus_message *added(FakeBluez *fake, const char *path) {
        sd_bus_message *m = fake_signal_new(fake, "/", OBJECT_MANAGER, "InterfacesAdded");

        append_object(m, path);
        return m;
}

static void send_added(FakeBluez *fake, sd_bus_message *m) {
        OK(sd_bus_message_close_container(m));
        fake_signal_send(fake, m);
}

void fake_radio_announce(FakeRadio *radio) {
        FakeBluez *fake = radio->fake;
        sd_bus_message *m;

        radio->known = true;
        if (!fake->bus || !fake->running)
                return;
        m = added(fake, radio->path);
        append_device(radio, m);
        send_added(fake, m);
}

static void announce_services(FakeRadio *radio, bool there) {
        FakeBluez *fake = radio->fake;

        if (radio->has_services == there || radio->no_uart)
                return;

        radio->has_services = there;
        for (unsigned tx = 0; fake->bus && fake->running && tx < 2; tx++) {
                g_autofree char *path = characteristic_path(radio, tx);
                sd_bus_message *m;

                if (!there) {
                        fake_signal(fake, "/", OBJECT_MANAGER, "InterfacesRemoved", "oas", path, 2,
                                    CHARACTERISTIC, PROPERTIES);
                        continue;
                }
                m = added(fake, path);
                append_characteristic(radio, tx, m);
                send_added(fake, m);
        }
}

void fake_radio_discover(FakeRadio *radio) {
        radio->has_rssi = true;
        if (!radio->known)
                fake_radio_announce(radio);
        else
                fake_changed(radio->fake, radio->path, DEVICE, "RSSI", "n", (int) -60);
}

void fake_radio_set_resolved(FakeRadio *radio, bool resolved) {
        if (radio->resolved == resolved)
                return;
        if (resolved)
                announce_services(radio, true);
        radio->resolved = resolved;
        fake_changed(radio->fake, radio->path, DEVICE, "ServicesResolved", "b", (int) resolved);
}

void fake_radio_set_connected(FakeRadio *radio, bool connected, const char *reason) {
        FakeBluez *fake = radio->fake;

        if (radio->connected == connected)
                return;

        if (!connected) {
                fake_steps_drop(fake, radio, NULL);
                if (radio->notify_fd >= 0)
                        (void) close(radio->notify_fd);
                radio->notify_fd = -1;
                fake_radio_end_write(radio);
                fake_radio_set_resolved(radio, false);
        }
        radio->connected = connected;
        if (!connected && fake->modern)
                fake_signal(fake, radio->path, DEVICE, "Disconnected", "ss",
                            reason ?: "org.bluez.Reason.Remote", "Connection terminated");
        fake_changed(fake, radio->path, DEVICE, "Connected", "b", (int) connected);
        fake_news(radio, connected ? "connected" : "disconnected");
        if (!connected && radio->pairing) {
                g_autoptr(sd_bus_message) call = g_steal_pointer(&radio->pairing);

                fake_reply_error(fake, call, FAKE_ERROR("AuthenticationCanceled"), "Authentication Canceled");
        }
}

void fake_radio_set_paired(FakeRadio *radio, bool paired) {
        FakeBluez *fake = radio->fake;

        if (radio->paired == paired)
                return;
        radio->paired = paired;
        if (!fake->no_bonded)
                fake_changed(fake, radio->path, DEVICE, "Bonded", "b", (int) paired);
        fake_changed(fake, radio->path, DEVICE, "Paired", "b", (int) paired);
}

void fake_radio_remove(FakeRadio *radio) {
        if (!radio->known)
                return;
        fake_radio_set_connected(radio, false, "org.bluez.Reason.Local");
        announce_services(radio, false);
        fake_signal(radio->fake, "/", OBJECT_MANAGER, "InterfacesRemoved", "oas", radio->path, 2, DEVICE,
                    PROPERTIES);
        radio->known = radio->paired = radio->trusted = radio->has_rssi = false;
}

void fake_adapter_set_powered(FakeAdapter *adapter, bool powered) {
        FakeBluez *fake = adapter->fake;

        if (adapter->powered == powered)
                return;
        for (guint i = 0; !powered && i < fake->radios->len; i++) {
                FakeRadio *radio = fake->radios->pdata[i];

                if (radio->adapter == adapter)
                        fake_radio_lose_adapter(radio);
        }
        adapter->powered = powered;
        if (!powered)
                adapter->n_discovering = 0;
        fake_changed(fake, adapter->path, ADAPTER, "Powered", "b", (int) powered);
}

void fake_adapter_set_present(FakeAdapter *adapter, bool present) {
        FakeBluez *fake = adapter->fake;
        sd_bus_message *m;

        if (adapter->present == present)
                return;

        if (present) {
                adapter->present = adapter->powered = true;
                m = added(fake, adapter->path);
                append_adapter(adapter, m);
                send_added(fake, m);
        } else
                fake_adapter_set_powered(adapter, false);
        for (guint i = 0; i < fake->radios->len; i++) {
                FakeRadio *radio = fake->radios->pdata[i];

                if (radio->adapter != adapter || !radio->paired)
                        continue;
                if (present) {
                        fake_radio_announce(radio);
                        continue;
                }
                announce_services(radio, false);
                fake_signal(fake, "/", OBJECT_MANAGER, "InterfacesRemoved", "oas", radio->path, 1, DEVICE);
                radio->known = false;
        }
        if (!present) {
                adapter->present = false;
                fake_signal(fake, "/", OBJECT_MANAGER, "InterfacesRemoved", "oas", adapter->path, 1, ADAPTER);
        }
}

/* -- life ---------------------------------------------------------------------------------- */

FakeAdapter *fake_adapter_add(FakeBluez *fake, const char *name, const char *address) {
        FakeAdapter *adapter = g_new(FakeAdapter, 1);

        *adapter = (FakeAdapter){.fake = fake,
                                 .path = g_strconcat("/org/bluez/", name, NULL),
                                 .address = g_strdup(address),
                                 .present = true,
                                 .powered = true};
        g_ptr_array_add(fake->adapters, adapter);
        return adapter;
}

void fake_adapter_free(FakeAdapter *adapter) {
        g_free(adapter->monitor);
        g_free(adapter->path);
        g_free(adapter->address);
        g_free(adapter);
}

FakeRadio *fake_radio_add(FakeAdapter *adapter, const char *address, const char *name) {
        FakeRadio *radio = g_new(FakeRadio, 1);

        *radio = (FakeRadio){
                        .fake = adapter->fake,
                        .adapter = adapter,
                        .path = g_strdelimit(g_strconcat(adapter->path, "/dev_", address, NULL), ":", '_'),
                        .address = g_strdup(address),
                        .name = g_strdup(name),
                        .near = true,
                        .pin = 123456,
                        .mtu = 176,
                        .written = g_byte_array_new(),
                        .notify_fd = -1,
                        .write_fd = -1};
        g_ptr_array_add(adapter->fake->radios, radio);
        return radio;
}

void fake_radio_free(FakeRadio *radio) {
        fake_radio_end_write(radio);
        if (radio->notify_fd >= 0)
                (void) close(radio->notify_fd);
        sd_bus_message_unref(radio->connecting);
        sd_bus_message_unref(radio->pairing);
        g_byte_array_unref(radio->written);
        g_free(radio->path);
        g_free(radio->address);
        g_free(radio->name);
        g_free(radio);
}

void fake_radio_bond(FakeRadio *radio) {
        radio->known = radio->paired = radio->trusted = radio->has_services = true;
        radio->key = FAKE_KEY_GOOD;
}

void fake_radio_lose(FakeRadio *radio) {
        radio->connecting = sd_bus_message_unref(radio->connecting);
        radio->pairing = sd_bus_message_unref(radio->pairing);
        fake_radio_end_write(radio);
        if (radio->notify_fd >= 0)
                (void) close(radio->notify_fd);
        radio->notify_fd = -1;
        radio->connected = radio->resolved = radio->has_rssi = radio->auto_pairing = false;
        radio->known = radio->paired;
}
