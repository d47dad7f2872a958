/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What bluetoothd knows, as we keep it: its objects, honest and hostile, discovery sessions and agents that
 * are shared, connections that we leave, and the coming and going of bluetoothd and the bus. */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ble-fixture.h"
#include "bluez-internal.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES     "org.freedesktop.DBus.Properties"

static BleFixture *f;
static unsigned n_changes[_BLUEZ_CHANGE_MAX];

static void setup(void) {
        f = ble_fixture_new();
        memset(n_changes, 0, sizeof(n_changes));
}

static void teardown(void) {
        f = ble_fixture_free(f);
}

static void count_change(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        ck_assert_int_lt(what, _BLUEZ_CHANGE_MAX);
        ck_assert_ptr_nonnull(path);
        n_changes[what]++;
}

static const BluezDevice *hut(void) {
        return bluez_device(f->bluez, HUT);
}

/* Still the same picture, and still listening. */
static void expect_alive(void) {
        ble_settle(f);
        ck_assert(bluez_is_ready(f->bluez));
        fake_signal(f->fake, HUT, PROPERTIES, "PropertiesChanged", "sa{sv}as", BLUEZ_DEVICE, 1, "Name", "s",
                    "Alive", 0);
        ble_settle(f);
        ck_assert_ptr_nonnull(hut());
        ck_assert_str_eq(hut()->name, "Alive");
}

/* -- objects ------------------------------------------------------------------------- */

START_TEST(picture) {
        const BluezAdapter *a;
        const BluezCharacteristic *c;
        g_autoptr(GPtrArray) adapters = NULL, devices = NULL;

        f->fake->no_bonded = _i == 1;
        f->hut->has_rssi = true;
        fake_radio_bond(f->hut);
        ble_ready(f);
        adapters = bluez_adapters(f->bluez);
        devices = bluez_devices(f->bluez);
        ck_assert_uint_eq(adapters->len, 1);
        ck_assert_uint_eq(devices->len, 1);
        a = adapters->pdata[0];
        ck_assert_str_eq(a->path, "/org/bluez/hci0");
        ck_assert_str_eq(a->address, "00:AA:01:00:00:42");
        ck_assert_str_eq(a->modalias, "usb:v1D6Bp0246d0542");
        ck_assert(a->powered && !a->pairable && !a->discovering);
        ck_assert_str_eq(hut()->address, HUT_ADDRESS);
        ck_assert_str_eq(hut()->address_type, "random");
        ck_assert_str_eq(hut()->adapter, "/org/bluez/hci0");
        ck_assert_str_eq(hut()->name, "MeshCore-Hut");
        ck_assert(hut()->paired && hut()->bonded && hut()->trusted && hut()->has_nus && !hut()->connected);
        ck_assert(hut()->has_rssi && hut()->rssi == -60);
        ck_assert(bluez_device_is_radio(hut()));
        c = bluez_characteristic(f->bluez, HUT, NUS_TX_UUID);
        ck_assert(c && c->can_notify && !c->can_write_command);
        ck_assert_str_eq(c->path, HUT_TX);
        c = bluez_characteristic(f->bluez, HUT, NUS_RX_UUID);
        ck_assert(c && c->can_write_command && !c->can_notify);
        ck_assert_ptr_null(
                        bluez_characteristic(f->bluez, "/org/bluez/hci0/dev_C0_00_00_00_22_0", NUS_RX_UUID));
}
END_TEST

START_TEST(follows_signals) {
        BluezWatch *watch = bluez_watch(f->bluez, count_change, NULL);
        unsigned lost;

        ble_ready(f);
        ck_assert_uint_eq(n_changes[BLUEZ_CHANGED_SERVICE], 1);
        ck_assert_ptr_null(hut());
        fake_radio_discover(f->hut);
        ble_settle(f);
        ck_assert(hut() && hut()->has_rssi);
        fake_radio_set_connected(f->hut, true, NULL);
        fake_radio_set_resolved(f->hut, true);
        fake_radio_set_paired(f->hut, true);
        ble_settle(f);
        ck_assert(hut()->connected && hut()->services_resolved && hut()->paired && hut()->bonded);
        ck_assert_ptr_nonnull(bluez_characteristic(f->bluez, HUT, NUS_TX_UUID));
        lost = hut()->n_lost;
        f->fake->modern = true;
        fake_radio_set_connected(f->hut, false, "org.bluez.Reason.Timeout");
        ble_settle(f);
        ck_assert_uint_eq(hut()->n_lost, lost + 1);
        ck_assert_str_eq(hut()->lost_reason, "org.bluez.Reason.Timeout");
        fake_radio_set_connected(f->hut, true, NULL);
        ble_settle(f);
        ck_assert_str_eq(hut()->lost_reason, "");
        fake_adapter_set_powered(f->hci0, false);
        ble_settle(f);
        ck_assert(!bluez_adapter(f->bluez, "/org/bluez/hci0")->powered);
        fake_radio_remove(f->hut);
        ble_settle(f);
        ck_assert_ptr_null(hut());
        ck_assert_ptr_null(bluez_characteristic(f->bluez, HUT, NUS_TX_UUID));
        fake_adapter_set_present(f->hci0, false);
        ble_settle(f);
        ck_assert_ptr_null(bluez_adapter(f->bluez, "/org/bluez/hci0"));
        ck_assert_uint_eq(n_changes[BLUEZ_CHANGED_SERVICE], 1);
        ck_assert_uint_ge(n_changes[BLUEZ_CHANGED_DEVICE], 8);
        ck_assert_uint_ge(n_changes[BLUEZ_CHANGED_ADAPTER], 2);
        bluez_unwatch(watch);
}
END_TEST

/* No more strength once nobody scans. */
START_TEST(rssi_is_taken_back) {
        ble_ready(f);
        fake_radio_discover(f->hut);
        ble_settle(f);
        ck_assert(hut()->has_rssi);
        fake_signal(f->fake, HUT, PROPERTIES, "PropertiesChanged", "sa{sv}as", BLUEZ_DEVICE, 0, 2, "Name",
                    "RSSI");
        ble_settle(f);
        ck_assert(!hut()->has_rssi);
        ck_assert_str_eq(hut()->name, "MeshCore-Hut");
}
END_TEST

START_TEST(choice_of_adapter) {
        fake_adapter_add(f->fake, "hci1", "00:AA:01:00:00:43");
        f->hci0->powered = _i != 1;
        ble_ready(f);
        ck_assert_str_eq(bluez_find_adapter(f->bluez, NULL)->path,
                         _i == 1 ? "/org/bluez/hci1" : "/org/bluez/hci0");
        ck_assert_str_eq(bluez_find_adapter(f->bluez, "hci1")->path, "/org/bluez/hci1");
        ck_assert_str_eq(bluez_find_adapter(f->bluez, "00:aa:01:00:00:42")->path, "/org/bluez/hci0");
        ck_assert_ptr_null(bluez_find_adapter(f->bluez, "hci"));
        ck_assert_ptr_null(bluez_find_adapter(f->bluez, ""));
}
END_TEST

/* -- hostile ------------------------------------------------------------------------------ */

/* Each property of each interface with another type than documented. */
START_TEST(wrong_types) {
        static const char *const names[] = {
                        "Address",     "Name",        "Adapter", "Paired",  "Bonded",
                        "Connected",   "RSSI",        "UUIDs",   "UUID",    "Flags",
                        "Powered",     "Modalias",    "Alias",   "Trusted", "ServicesResolved",
                        "AddressType", "Discovering", "Pairable"};
        static const char *const interfaces[] = {BLUEZ_ADAPTER, BLUEZ_DEVICE, BLUEZ_CHARACTERISTIC};

        fake_radio_bond(f->hut);
        ble_ready(f);
        for (size_t i = 0; i < ELEMENTSOF(interfaces); i++)
                for (size_t j = 0; j < ELEMENTSOF(names); j++)
                        for (unsigned added = 0; added < 2; added++) {
                                const char *path = i == 0 ? "/org/bluez/hci0" : HUT;
                                const char *member = added ? "InterfacesAdded" : "PropertiesChanged";
                                sd_bus_message *m =
                                                fake_signal_new(f->fake, added ? "/" : path,
                                                                added ? OBJECT_MANAGER : PROPERTIES, member);

                                if (added)
                                        ck_assert_int_ge(sd_bus_message_append(m, "oa{sa{sv}}", path, 1,
                                                                               interfaces[i], 1, names[j],
                                                                               "(td)", (uint64_t) 1, 1.0),
                                                         0);
                                else
                                        ck_assert_int_ge(sd_bus_message_append(m, "sa{sv}as", interfaces[i],
                                                                               3, names[j], "a{sv}", 1, "x",
                                                                               "y", 1, names[j], "g", "a{sv}",
                                                                               names[j], "v", "i", 7, 0),
                                                         0);
                                fake_signal_send(f->fake, m);
                        }
        ble_settle(f);
        ck_assert_str_eq(hut()->address, HUT_ADDRESS);
        ck_assert(hut()->paired && hut()->trusted && !hut()->connected);
        ck_assert_str_eq(bluez_adapter(f->bluez, "/org/bluez/hci0")->address, "00:AA:01:00:00:42");
        expect_alive();
}
END_TEST

/* Signals with another body than they have. */
START_TEST(wrong_bodies) {
        static const char *const members[][2] = {{PROPERTIES, "PropertiesChanged"},
                                                 {OBJECT_MANAGER, "InterfacesAdded"},
                                                 {OBJECT_MANAGER, "InterfacesRemoved"},
                                                 {BLUEZ_DEVICE, "Disconnected"},
                                                 {"com.example.Other", "Other"}};

        fake_radio_bond(f->hut);
        ble_ready(f);
        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                fake_signal(f->fake, HUT, members[i][0], members[i][1], "");
                fake_signal(f->fake, HUT, members[i][0], members[i][1], "s", "alone");
                fake_signal(f->fake, HUT, members[i][0], members[i][1], "u", 7);
                fake_signal(f->fake, HUT, members[i][0], members[i][1], "o", HUT);
                fake_signal(f->fake, HUT, members[i][0], members[i][1], "sa{sv}", BLUEZ_DEVICE, 0);
                fake_signal(f->fake, HUT, members[i][0], members[i][1], "osas", HUT, "x", 0);
        }
        expect_alive();
        ck_assert(hut()->paired);
}
END_TEST

/* A device without anything, one whose adapter does not exist, characteristics of nobody's. */
START_TEST(missing_and_orphaned) {
        const BluezDevice *d;

        ble_ready(f);
        fake_signal(f->fake, "/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", HUT, 1, BLUEZ_DEVICE, 0);
        fake_signal(f->fake, "/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", "/", 2, BLUEZ_DEVICE, 0,
                    BLUEZ_ADAPTER, 0);
        fake_signal(f->fake, "/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", "/nobody/service/char", 1,
                    BLUEZ_CHARACTERISTIC, 1, "UUID", "s", NUS_TX_UUID);
        fake_signal(f->fake, "/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", HUT_TX, 1,
                    BLUEZ_CHARACTERISTIC, 0);
        fake_signal(f->fake, "/", OBJECT_MANAGER, "InterfacesRemoved", "oas", "/never/was", 3, BLUEZ_DEVICE,
                    BLUEZ_ADAPTER, BLUEZ_CHARACTERISTIC);
        fake_signal(f->fake, "/never/was", PROPERTIES, "PropertiesChanged", "sa{sv}as", BLUEZ_DEVICE, 1,
                    "Connected", "b", 1, 0);
        ble_settle(f);
        d = hut();
        ck_assert_ptr_nonnull(d);
        ck_assert_str_eq(d->address, "");
        ck_assert_str_eq(d->adapter, "");
        ck_assert_str_eq(d->name, "");
        ck_assert(!bluez_device_is_radio(d));
        ck_assert_ptr_null(bluez_characteristic(f->bluez, HUT, NUS_TX_UUID));
        ck_assert_ptr_null(bluez_device(f->bluez, "/never/was"));
        /* and a link to it ends well */
        ble_open_link(f, "");
        ck_assert_uint_eq(f->closed + f->opened, 1);
        expect_alive();
}
END_TEST

/* Strings as long as a message can carry, and not what they should be. */
START_TEST(huge_strings) {
        g_autofree char *huge = g_strnfill(1024 * 1024, 'M');

        ble_ready(f);
        fake_radio_discover(f->hut);
        ble_settle(f);
        fake_signal(f->fake, HUT, PROPERTIES, "PropertiesChanged", "sa{sv}as", BLUEZ_DEVICE, 3, "Name", "s",
                    huge, "Address", "s", huge, "UUIDs", "as", 2, huge, NUS_SERVICE_UUID, 0);
        fake_signal(f->fake, HUT, BLUEZ_DEVICE, "Disconnected", "ss", huge, huge);
        ble_settle(f);
        ck_assert(hut()->has_nus);
        ble_open_link(f, "MeshCore");
        ck_assert_uint_eq(f->closed, 1);
        expect_alive();
}
END_TEST

/* Names that strangers choose do not get into a person's terminal as they are. */
START_TEST(name_with_escapes) {
        f->hut->near = false;
        ble_open_link(f, "Hut\x1b[2J");
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_ptr_null(strchr(f->why, '\x1b'));
}
END_TEST

/* A neighbourhood that makes up addresses. */
START_TEST(crowd) {
        g_autoptr(GPtrArray) devices = NULL;

        fake_radio_bond(f->hut);
        ble_ready(f);
        for (unsigned i = 0; i < 10000; i++) {
                g_autofree char *path = g_strdup_printf("/org/bluez/hci0/dev_%08X", i);
                g_autofree char *characteristic = g_strconcat(path, "/service0001/char0002", NULL);

                fake_signal(f->fake, "/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", path, 1,
                            BLUEZ_DEVICE, 1, "Name", "s", "stranger");
                fake_signal(f->fake, "/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", characteristic, 1,
                            BLUEZ_CHARACTERISTIC, 1, "UUID", "s", "180f");
                if (i % 100 == 0)
                        ble_settle(f);
        }
        ble_settle(f);
        devices = bluez_devices(f->bluez);
        ck_assert_uint_le(devices->len, BLUEZ_OBJECTS_MAX);
        ck_assert_uint_le(g_hash_table_size(f->bluez->characteristics), BLUEZ_OBJECTS_MAX);
        /* the bond is not among those that leave */
        ck_assert(hut() && hut()->paired);
        expect_alive();
}
END_TEST

/* Somebody else on the bus speaks in bluetoothd's words. */
START_TEST(impostor) {
        sd_bus_message *m;

        fake_radio_bond(f->hut);
        ble_ready(f);
        m = fake_signal_new(f->fake, HUT, PROPERTIES, "PropertiesChanged");
        ck_assert_int_ge(sd_bus_message_append(m, "sa{sv}as", BLUEZ_DEVICE, 1, "Connected", "b", 1, 0), 0);
        fake_signal_send_as(f->fake, ":1.66", m);
        m = fake_signal_new(f->fake, "/", OBJECT_MANAGER, "InterfacesRemoved");
        ck_assert_int_ge(sd_bus_message_append(m, "oas", HUT, 1, BLUEZ_DEVICE), 0);
        fake_signal_send_as(f->fake, ":1.66", m);
        ble_settle(f);
        ck_assert(hut() && !hut()->connected);
}
END_TEST

static void answer_nonsense(FakeBluez *fake, sd_bus_message *reply) {
        ck_assert_int_ge(sd_bus_message_append(reply, "s", "no objects"), 0);
}

static void answer_nothing(FakeBluez *fake, sd_bus_message *reply) {
}

static void answer_odd_objects(FakeBluez *fake, sd_bus_message *reply) {
        ck_assert_int_ge(sd_bus_message_append(reply, "a{oa{sa{sv}}}", 3, "/", 1, "a.b", 1, "x", "v", "ai", 2,
                                               1, 2, "/org/bluez/hci0", 1, BLUEZ_ADAPTER, 2, "Powered", "s",
                                               "yes", "Address", "u", 7, HUT, 2, BLUEZ_DEVICE, 1, "Name", "s",
                                               "x", BLUEZ_ADAPTER, 0),
                         0);
}

START_TEST(odd_answers_to_objects) {
        f->fake->objects = _i == 0 ? answer_nonsense : _i == 1 ? answer_nothing : answer_odd_objects;
        ck_assert_int_ge(bluez_refresh(f->bluez, false), 0);
        ble_settle(f);
        ck_assert(bluez_is_ready(f->bluez) == (_i == 2));
        ck_assert((bluez_error(f->bluez) < 0) == (_i < 2));
        ble_open_link(f, HUT_ADDRESS);
        ck_assert_uint_eq(f->closed, 1);

        f->fake->objects = NULL;
        if (_i < 2) {
                fake_radio_bond(f->hut);
                ble_open_link(f, HUT_ADDRESS);
                ble_expect_open(f);
        }
}
END_TEST

/* -- coming and going ------------------------------------------------------------------------ */

static void unwatch_all(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        BluezWatch **watches = userdata;

        for (unsigned i = 0; i < 3; i++)
                watches[i] = bluez_unwatch(watches[i]);
}

START_TEST(watch_frees_others) {
        BluezWatch *watches[3];

        for (unsigned i = 0; i < 3; i++)
                watches[i] = bluez_watch(f->bluez, unwatch_all, watches);
        ble_ready(f);
        ck_assert_ptr_null(watches[0]);
        ck_assert_ptr_null(watches[2]);
}
END_TEST

START_TEST(service_restarts) {
        BluezWatch *watch;

        fake_radio_bond(f->hut);
        ble_ready(f);
        watch = bluez_watch(f->bluez, count_change, NULL);
        fake_crash(f->fake);
        ble_settle(f);
        ck_assert(!bluez_is_ready(f->bluez));
        ck_assert_int_eq(bluez_error(f->bluez), -ENOENT);
        ck_assert_ptr_null(hut());
        ck_assert_uint_eq(n_changes[BLUEZ_CHANGED_SERVICE], 1);
        fake_start(f->fake);
        ble_settle(f);
        ck_assert(bluez_is_ready(f->bluez));
        ck_assert_ptr_nonnull(hut());
        ck_assert_uint_eq(n_changes[BLUEZ_CHANGED_SERVICE], 3); /* it came; its objects came */
        bluez_unwatch(watch);
        ck_assert_uint_eq(f->fake->n_connections, 1);
}
END_TEST

START_TEST(bus_restarts) {
        fake_radio_bond(f->hut);
        ble_ready(f);
        fake_bus_drop(f->fake, _i == 0);
        ble_settle(f);
        ck_assert(!bluez_is_ready(f->bluez));
        ck_assert_int_eq(bluez_error(f->bluez), -ENOTCONN);
        if (_i == 1) {
                ck_assert_int_lt(bluez_refresh(f->bluez, false), 0);
                fake_bus_drop(f->fake, true);
        }
        fake_start(f->fake);
        ble_settle(f);
        ble_ready(f);
        ck_assert_ptr_nonnull(hut());
        expect_alive();
}
END_TEST

/* Nobody waits for a bus that has not even said hello. */
START_TEST(freed_while_connecting) {
        Bluez *other = NULL;

        ck_assert_int_ge(bluez_new(f->event, f->fake->address, &other), 0);
        ck_assert_int_ge(bluez_refresh(other, false), 0);
        bluez_unref(other);
        ble_settle(f);
}
END_TEST

START_TEST(objects_never_come) {
        BluezWatch *watch = bluez_watch(f->bluez, count_change, NULL);

        fake_silence(f->fake, "GetManagedObjects");
        ck_assert_int_ge(bluez_refresh(f->bluez, false), 0);
        ble_pass(f, 15 * USEC_PER_SEC);
        ck_assert_uint_eq(n_changes[BLUEZ_CHANGED_SERVICE], 1);
        ck_assert(!bluez_is_ready(f->bluez));
        ck_assert_int_lt(bluez_error(f->bluez), 0);
        bluez_unwatch(watch);
}
END_TEST

/* -- scanning --------------------------------------------------------------------------------- */

static int scan_error;
static unsigned n_scan_failed;

static void on_scan_failed(BluezScan *scan, int error, void *userdata) {
        n_scan_failed++;
        scan_error = error;
        if (userdata)
                *(BluezScan **) userdata = bluez_scan_free(scan);
}

START_TEST(scan_is_shared) {
        BluezScan *a = NULL, *b = NULL;

        ble_ready(f);
        ck_assert_int_ge(bluez_scan_new(f->bluez, "/org/bluez/hci0", NULL, NULL, &a), 0);
        ck_assert_int_ge(bluez_scan_new(f->bluez, "/org/bluez/hci0", NULL, NULL, &b), 0);
        ble_pass(f, USEC_PER_SEC);
        ck_assert_uint_eq(fake_count(f->fake, "StartDiscovery"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "SetDiscoveryFilter"), 1);
        ck_assert(hut() && hut()->has_rssi);
        a = bluez_scan_free(a);
        ble_settle(f);
        ck_assert_uint_eq(fake_count(f->fake, "StopDiscovery"), 0);
        b = bluez_scan_free(b);
        ble_settle(f);
        ck_assert_uint_eq(fake_count(f->fake, "StopDiscovery"), 1);
        ck_assert_uint_eq(f->hci0->n_discovering, 0);
}
END_TEST

START_TEST(scan_fails) {
        static const struct {
                const char *name, *text;
        } errors[] = {{FAKE_ERROR("NotReady"), "Resource Not Ready"},
                      {FAKE_ERROR("Failed"), "Failed"},
                      {"org.freedesktop.DBus.Error.AccessDenied", "no"}};
        BluezScan *a = NULL, *b = NULL;

        n_scan_failed = 0;
        ble_ready(f);
        if (_i < 3)
                fake_fail(f->fake, "StartDiscovery", errors[_i].name, errors[_i].text);
        else
                fake_silence(f->fake, "StartDiscovery");
        ck_assert_int_ge(bluez_scan_new(f->bluez, "/org/bluez/hci0", on_scan_failed, &a, &a), 0);
        ck_assert_int_ge(bluez_scan_new(f->bluez, "/org/bluez/hci0", on_scan_failed, NULL, &b), 0);
        ble_pass(f, 15 * USEC_PER_SEC);
        ck_assert_uint_eq(n_scan_failed, 2);
        ck_assert_int_lt(scan_error, 0);
        ck_assert(_i != 0 || scan_error == -ENETDOWN);
        ck_assert_ptr_null(a);
        b = bluez_scan_free(b);
        ble_settle(f);

        fake_heal(f->fake, "StartDiscovery");
        ck_assert_int_ge(bluez_scan_new(f->bluez, "/org/bluez/hci0", on_scan_failed, NULL, &a), 0);
        ble_pass(f, USEC_PER_SEC);
        ck_assert_uint_eq(n_scan_failed, 2);
        ck_assert_uint_eq(f->hci0->n_discovering, 1);
        a = bluez_scan_free(a);
}
END_TEST

START_TEST(scan_outlives_service) {
        BluezScan *a = NULL;

        ble_ready(f);
        ck_assert_int_ge(bluez_scan_new(f->bluez, "/org/bluez/hci0", on_scan_failed, NULL, &a), 0);
        ble_pass(f, USEC_PER_SEC);
        fake_crash(f->fake);
        ble_settle(f);
        fake_start(f->fake);
        ble_settle(f);
        a = bluez_scan_free(a);
        ble_settle(f);
        ck_assert_uint_eq(fake_count(f->fake, "StopDiscovery"), 0);
}
END_TEST

/* -- leaving ------------------------------------------------------------------------------------ */

START_TEST(leaving) {
        BluezWatch *watch;

        fake_radio_bond(f->hut);
        f->hut->connected = true;
        ble_ready(f);
        watch = bluez_watch(f->bluez, count_change, NULL);
        if (_i == 1)
                fake_silence(f->fake, "Disconnect");
        if (_i == 2)
                fake_fail(f->fake, "Disconnect", FAKE_ERROR("NotConnected"), "Not Connected");
        bluez_leave(f->bluez, HUT, false);
        bluez_leave(f->bluez, HUT, false);
        ck_assert(bluez_is_leaving(f->bluez, HUT));
        ble_pass(f, 12 * USEC_PER_SEC);
        ck_assert(!bluez_is_leaving(f->bluez, HUT));
        ck_assert_uint_eq(fake_count(f->fake, "Disconnect"), 1);
        ck_assert_uint_eq(n_changes[BLUEZ_CHANGED_LEFT], 1);
        bluez_unwatch(watch);
}
END_TEST

/* To be forgotten goes beyond to be left; an unknown device has left already. */
START_TEST(forgetting) {
        fake_radio_bond(f->hut);
        f->hut->connected = true;
        ble_ready(f);
        bluez_leave(f->bluez, HUT, false);
        bluez_leave(f->bluez, HUT, true);
        bluez_leave(f->bluez, HUT, false);
        ble_pass(f, 5 * USEC_PER_SEC);
        ck_assert(!bluez_is_leaving(f->bluez, HUT));
        ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), 1);
        ck_assert_ptr_null(hut());
        bluez_leave(f->bluez, HUT, true);
        ck_assert(!bluez_is_leaving(f->bluez, HUT));
        ble_settle(f);
        ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), 1);
}
END_TEST

/* -- agents --------------------------------------------------------------------------------------- */

typedef struct Pairing {
        BluezAgent *agent;
        unsigned n_ready, n_asked, n_cancelled;
        int error;
} Pairing;

static void on_ready(int error, void *userdata) {
        Pairing *p = userdata;

        p->n_ready++;
        p->error = error;
}

static int on_passkey(void *userdata, uint32_t *ret) {
        ((Pairing *) userdata)->n_asked++;
        *ret = 7;
        return 0;
}

static void on_cancelled(void *userdata) {
        ((Pairing *) userdata)->n_cancelled++;
}

static const BluezAgentHandler agent_handler = {.passkey = on_passkey, .cancelled = on_cancelled};

static int ignore(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return 0;
}

static void ask_agent(const char *member, const char *device) {
        sd_bus_message *m = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(f->fake->bus, &m, FAKE_CLIENT,
                                                        "/org/meshcored1/agent", "org.bluez.Agent1", member),
                         0);
        if (device)
                ck_assert_int_ge(sd_bus_message_append(m, "o", device), 0);
        fake_call_as(f->fake, ":1.1", m, ignore, NULL);
        ble_settle(f);
}

/* Two radios are paired at a time: one registration, each asked about its own. */
START_TEST(agents_share) {
        Pairing a = {}, b = {}, c = {};

        ble_ready(f);
        ck_assert_int_ge(bluez_agent_new(f->bluez, HUT, &agent_handler, on_ready, &a, &a.agent), 0);
        ck_assert_int_ge(bluez_agent_new(f->bluez, HUT "x", &agent_handler, on_ready, &b, &b.agent), 0);
        ck_assert_int_eq(bluez_agent_new(f->bluez, HUT, &agent_handler, on_ready, &c, &c.agent), -EBUSY);
        ck_assert_uint_eq(a.n_ready, 0);
        ble_settle(f);
        ck_assert_int_ge(bluez_agent_new(f->bluez, HUT "y", &agent_handler, on_ready, &c, &c.agent), 0);
        ble_settle(f);
        ck_assert(a.n_ready == 1 && b.n_ready == 1 && c.n_ready == 1);
        ck_assert(a.error == 0 && b.error == 0 && c.error == 0);
        ck_assert_uint_eq(fake_count(f->fake, "RegisterAgent"), 1);
        ask_agent("RequestPasskey", HUT "x");
        ck_assert(a.n_asked == 0 && b.n_asked == 1 && c.n_asked == 0);
        ask_agent("Cancel", NULL);
        ck_assert(a.n_cancelled == 1 && b.n_cancelled == 1 && c.n_cancelled == 1);
        a.agent = bluez_agent_free(a.agent);
        b.agent = bluez_agent_free(b.agent);
        ble_settle(f);
        ck_assert_ptr_nonnull(fake_agent(f->fake));
        c.agent = bluez_agent_free(c.agent);
        ble_settle(f);
        ck_assert_ptr_null(fake_agent(f->fake));
        ask_agent("RequestPasskey", HUT);
        ck_assert_uint_eq(a.n_asked, 0);
}
END_TEST

START_TEST(agent_outlives_service) {
        Pairing a = {}, b = {};

        ble_ready(f);
        ck_assert_int_ge(bluez_agent_new(f->bluez, HUT, &agent_handler, on_ready, &a, &a.agent), 0);
        if (_i == 1)
                ble_settle(f);
        fake_crash(f->fake);
        ble_settle(f);
        fake_start(f->fake);
        ble_settle(f);
        ck_assert_int_ge(bluez_agent_new(f->bluez, HUT, &agent_handler, on_ready, &b, &b.agent), 0);
        ble_settle(f);
        ck_assert_uint_eq(b.n_ready, 1);
        ck_assert_int_eq(b.error, 0);
        a.agent = bluez_agent_free(a.agent);
        ble_settle(f);
        ck_assert_ptr_nonnull(fake_agent(f->fake));
        b.agent = bluez_agent_free(b.agent);
}
END_TEST

START_TEST(registration_never_answered) {
        Pairing a = {};

        ble_ready(f);
        fake_silence(f->fake, "RegisterAgent");
        ck_assert_int_ge(bluez_agent_new(f->bluez, HUT, &agent_handler, on_ready, &a, &a.agent), 0);
        ble_pass(f, 15 * USEC_PER_SEC);
        ck_assert_uint_eq(a.n_ready, 1);
        ck_assert_int_lt(a.error, 0);
        a.agent = bluez_agent_free(a.agent);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bluez");
        TCase *tcase = tcase_create("bluez");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_loop_test(tcase, picture, 0, 2);
        tcase_add_test(tcase, follows_signals);
        tcase_add_test(tcase, rssi_is_taken_back);
        tcase_add_loop_test(tcase, choice_of_adapter, 0, 2);
        tcase_add_test(tcase, wrong_types);
        tcase_add_test(tcase, wrong_bodies);
        tcase_add_test(tcase, missing_and_orphaned);
        tcase_add_test(tcase, huge_strings);
        tcase_add_test(tcase, name_with_escapes);
        tcase_add_test(tcase, crowd);
        tcase_add_test(tcase, impostor);
        tcase_add_loop_test(tcase, odd_answers_to_objects, 0, 3);
        tcase_add_test(tcase, watch_frees_others);
        tcase_add_test(tcase, service_restarts);
        tcase_add_loop_test(tcase, bus_restarts, 0, 2);
        tcase_add_test(tcase, freed_while_connecting);
        tcase_add_test(tcase, objects_never_come);
        tcase_add_test(tcase, scan_is_shared);
        tcase_add_loop_test(tcase, scan_fails, 0, 4);
        tcase_add_test(tcase, scan_outlives_service);
        tcase_add_loop_test(tcase, leaving, 0, 3);
        tcase_add_test(tcase, forgetting);
        tcase_add_test(tcase, agents_share);
        tcase_add_loop_test(tcase, agent_outlives_service, 0, 2);
        tcase_add_test(tcase, registration_never_answered);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
