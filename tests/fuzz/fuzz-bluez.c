/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bluez-internal.h"
#include "fuzz-message.h"
#include "fuzz.h"
#include "macros.h"

/* What bluetoothd may tell of its objects. The input is any number of messages, each a byte for its kind, two
 * for the size and the body as it goes over the wire: sd-bus looks at a body only when it is read. */

#define BODY_MAX   32768u
#define OBJECT_MAX (BLUEZ_OBJECTS_MAX + 16u)

typedef enum Kind { ALL, ADDED, REMOVED, CHANGED, DISCONNECTED, _KIND_MAX } Kind;

static const struct {
        const char *member, *signature;
} kinds[_KIND_MAX] = {
                [ALL] = {"Objects", "a{oa{sa{sv}}}"},     [ADDED] = {"InterfacesAdded", "oa{sa{sv}}"},
                [REMOVED] = {"InterfacesRemoved", "oas"}, [CHANGED] = {"PropertiesChanged", "sa{sv}as"},
                [DISCONNECTED] = {"Disconnected", "ss"},
};

static const char *const paths[] = {"/org/bluez/hci0", "/org/bluez/hci0/dev_C0_00_00_00_22_01",
                                    "/org/bluez/hci0/dev_C0_00_00_00_22_01/service0010/char0013", "/"};

/* -- a connection on which raw messages arrive ------------------------------------------ */

static sd_bus *client, *server;

static void turn(sd_bus *bus) {
        int r;

        do
                r = sd_bus_process(bus, NULL);
        while (r > 0);
        FUZZ_ASSERT(r == 0);
}

static void connect_pair(void) {
        sd_id128_t id = SD_ID128_MAKE(6d, 65, 73, 68, 63, 6f, 72, 65, 64, 2d, 66, 75, 7a, 7a, 65, 64);
        int fds[2];

        FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) >= 0);
        FUZZ_ASSERT(sd_bus_new(&server) >= 0 && sd_bus_set_fd(server, fds[0], fds[0]) >= 0);
        FUZZ_ASSERT(sd_bus_set_server(server, true, id) >= 0 && sd_bus_start(server) >= 0);
        FUZZ_ASSERT(sd_bus_new(&client) >= 0 && sd_bus_set_fd(client, fds[1], fds[1]) >= 0);
        FUZZ_ASSERT(sd_bus_start(client) >= 0);
        while (sd_bus_is_ready(client) == 0 || sd_bus_is_ready(server) == 0) {
                turn(server);
                turn(client);
        }
}

/* A signal with any body, as the peer of sd-bus could send it. */
static sd_bus_message *receive(const char *path, Kind kind, const uint8_t *body, uint32_t size) {
        const FuzzHeader header = {
                        .type = SD_BUS_MESSAGE_SIGNAL,
                        .flags = FUZZ_NO_REPLY,
                        .serial = 7,
                        .path = path,
                        .interface = "org.bluez.Fuzz",
                        .member = kinds[kind].member,
                        .signature = kinds[kind].signature,
        };
        g_autoptr(GByteArray) raw = fuzz_message_new(&header, body, size);
        sd_bus_message *m = NULL;

        FUZZ_ASSERT(send(sd_bus_get_fd(server), raw->data, raw->len, 0) == (ssize_t) raw->len);
        while (!m)
                FUZZ_ASSERT(sd_bus_process(client, &m) >= 0);
        return m;
}

/* -- what must hold ------------------------------------------------------------------------- */

static void check_text(const char *text) {
        FUZZ_ASSERT(text && g_utf8_validate(text, -1, NULL));
}

static void check(Bluez *bluez) {
        g_autoptr(GPtrArray) adapters = bluez_adapters(bluez), devices = bluez_devices(bluez);

        FUZZ_ASSERT(g_hash_table_size(bluez->characteristics) <= OBJECT_MAX);
        for (guint i = 0; i < adapters->len; i++) {
                const BluezAdapter *a = adapters->pdata[i];

                check_text(a->address);
                check_text(a->alias);
                check_text(a->modalias);
                FUZZ_ASSERT(bluez_adapter(bluez, a->path) == a);
        }
        for (guint i = 0; i < devices->len; i++) {
                const BluezDevice *d = devices->pdata[i];

                check_text(d->adapter);
                check_text(d->address);
                check_text(d->address_type);
                check_text(d->name);
                check_text(d->lost_reason);
                (void) bluez_device_is_radio(d);
                FUZZ_ASSERT(bluez_device(bluez, d->path) == d);
                FUZZ_ASSERT(d->rssi >= INT16_MIN && d->rssi <= INT16_MAX);
                (void) bluez_characteristic(bluez, d->path, NUS_TX_UUID);
        }
        (void) bluez_find_adapter(bluez, NULL);
        (void) bluez_find_adapter(bluez, "hci0");
}

static void take(Bluez *bluez, const char *path, Kind kind, sd_bus_message *m) {
        const char *name, *text;

        switch (kind) {
        case ALL:
                (void) bluez_objects_read(bluez, m);
                break;
        case ADDED:
                (void) bluez_objects_add(bluez, m, true);
                break;
        case REMOVED:
                (void) bluez_objects_remove(bluez, m);
                break;
        case CHANGED:
                (void) bluez_objects_change(bluez, path, m);
                break;
        default:
                if (sd_bus_message_read(m, "ss", &name, &text) >= 0)
                        bluez_objects_lost_reason(bluez, path, name);
        }
}

static void on_changed(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        FUZZ_ASSERT(what >= 0 && what < _BLUEZ_CHANGE_MAX);
        fuzz_touch(path, strlen(path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static sd_event *event;
        g_autoptr(Bluez) bluez = NULL;
        BluezWatch *watch;

        if (!event) {
                FUZZ_ASSERT(sd_event_new(&event) >= 0);
                connect_pair();
        }
        FUZZ_ASSERT(bluez_new(event, "unix:path=/nonexistent", &bluez) >= 0);
        watch = bluez_watch(bluez, on_changed, NULL);
        while (size >= 3) {
                Kind kind = (Kind) (data[0] % _KIND_MAX);
                const char *path = paths[data[0] / _KIND_MAX % ELEMENTSOF(paths)];
                uint32_t n = MIN((uint32_t) (data[1] | data[2] << 8), BODY_MAX);
                sd_bus_message *m;

                data += 3;
                size -= 3;
                n = (uint32_t) MIN(n, size);
                m = receive(path, kind, data, n);
                take(bluez, path, kind, m);
                sd_bus_message_unref(m);
                check(bluez);
                data += n;
                size -= n;
        }
        watch = bluez_unwatch(watch);
        return 0;
}
