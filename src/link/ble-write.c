/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "ble-internal.h"
#include "log.h"
#include "macros.h"

/* Commands to the radio. At first with a response each: nothing else says that one arrived, and a write
 * without response is lost silently where the link has lost its key. Once the radio has answered over the
 * protected link, and where its characteristic takes writes without response, through a descriptor, which
 * spares a round trip each. */

#define WRITE_USEC   (20 * USEC_PER_SEC)
#define ACQUIRE_USEC (10 * USEC_PER_SEC)
#define WAITING_MAX  ((size_t) 64 * 1024) /* link_send() */
#define FRAME_MAX    176u                 /* link_send() */
#define ATT_HEADER   3u

static int write_next(LinkBle *ble);

typedef struct Write {
        size_t size;
        uint8_t data[FRAME_MAX];
} Write;

/* It may have been a key or a password. */
static void free_write(gpointer write) {
        explicit_bzero(write, sizeof(Write));
        g_free(write);
}

static void drop_head(LinkBle *ble) {
        Write *head = g_queue_pop_head(&ble->writes);

        ble->n_waiting -= head->size;
        free_write(head);
}

static void go_on(LinkBle *ble) {
        int r = write_next(ble);

        if (r < 0)
                ble_end(ble, LINK_END_LOST, r, _BOND_STATE_INVALID, BOND_REASON_NONE, "cannot write: %s",
                        g_strerror(-r));
}

/* -- through a descriptor ------------------------------------------------------------ */

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);

        if (revents & (EPOLLHUP | EPOLLERR)) {
                ble_end(ble, LINK_END_LOST, 0, _BOND_STATE_INVALID, BOND_REASON_NONE,
                        "the radio is out of reach, or switched off");
                return 0;
        }
        (void) sd_event_source_set_io_events(source, 0);
        go_on(ble);
        return 0;
}

static int take_descriptor(LinkBle *ble, sd_bus_message *reply) {
        uint16_t mtu;
        int fd, r;

        r = sd_bus_message_read(reply, "hq", &fd, &mtu);
        if (r < 0)
                return r;

        ble->write_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (ble->write_fd < 0)
                return -errno;
        return sd_event_add_io(ble->link.event, &ble->write_io, ble->write_fd, 0, on_writable, ble);
}

static int on_acquired(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        int r;

        ble->write_call = sd_bus_slot_unref(ble->write_call);
        r = e ? -sd_bus_error_get_errno(e) : take_descriptor(ble, reply);
        if (r < 0) {
                (void) log_debug_errno(r, "AcquireWrite of %s failed, writing with response", ble->address);
                ble->write_io = sd_event_source_disable_unref(ble->write_io);
                ble->write_fd = safe_close(ble->write_fd);
        }
        go_on(ble);
        return 0;
}

/* Every frame must fit: while the descriptor is held, bluetoothd takes longer ones in no other way. */
static bool should_acquire(const LinkBle *ble) {
        const BluezCharacteristic *rx = bluez_characteristic(ble->bluez, ble->device, NUS_RX_UUID);

        return ble->proven && !ble->acquired && rx && rx->can_write_command &&
               ble->mtu >= FRAME_MAX + ATT_HEADER;
}

static int acquire(LinkBle *ble) {
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        ble->acquired = true;
        r = bluez_message(ble->bluez, ble->write_path, BLUEZ_CHARACTERISTIC, "AcquireWrite", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 0);
        if (r >= 0)
                r = bluez_call(ble->bluez, &ble->write_call, m, on_acquired, ble, ACQUIRE_USEC);
        return r;
}

static int write_descriptor(LinkBle *ble) {
        while (ble->writes.length > 0) {
                const Write *head = g_queue_peek_head(&ble->writes);

                if (send(ble->write_fd, head->data, head->size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
                        drop_head(ble);
                        continue;
                }
                if (errno == EINTR)
                        continue;
                if (errno == EAGAIN)
                        return sd_event_source_set_io_events(ble->write_io, EPOLLOUT);
                return -errno;
        }
        return 0;
}

/* -- one by one ----------------------------------------------------------------------- */

static int on_written(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        ble->write_call = sd_bus_slot_unref(ble->write_call);
        drop_head(ble);

        if (e) {
                log_debug("WriteValue to %s: %s: %s", ble->address, e->name, e->message ?: "");
                if (ble_error_is_access(e))
                        ble_stale(ble, BOND_REASON_ENCRYPTION);
                else if (!ble_end_common(ble, e))
                        ble_end(ble, LINK_END_LOST, EPIPE, _BOND_STATE_INVALID, BOND_REASON_NONE,
                                "the radio does not take what we write (%s)", e->message ?: e->name);
                return 0;
        }

        go_on(ble);
        return 0;
}

static int write_value(LinkBle *ble) {
        const Write *head = g_queue_peek_head(&ble->writes);
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        r = bluez_message(ble->bluez, ble->write_path, BLUEZ_CHARACTERISTIC, "WriteValue", &m);
        if (r >= 0)
                r = sd_bus_message_sensitive(m);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', head->data, head->size);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 1, "type", "s", "request");
        if (r >= 0)
                r = bluez_call(ble->bluez, &ble->write_call, m, on_written, ble, WRITE_USEC);
        return r;
}

static int write_next(LinkBle *ble) {
        if (ble->write_call || ble->writes.length == 0)
                return 0;
        if (ble->write_fd >= 0)
                return write_descriptor(ble);
        if (should_acquire(ble))
                return acquire(ble);
        return write_value(ble);
}

int ble_send(Link *link, const uint8_t *frame, size_t size) {
        LinkBle *ble = (LinkBle *) link;
        Write *copy;
        int r;

        if (ble->n_waiting + size > WAITING_MAX)
                return -ENOBUFS;

        copy = g_new(Write, 1);
        copy->size = size;
        memcpy(copy->data, frame, size);
        g_queue_push_tail(&ble->writes, copy);
        ble->n_waiting += size;
        r = write_next(ble);
        if (r < 0 && !ble->write_call) {
                free_write(g_queue_pop_tail(&ble->writes));
                ble->n_waiting -= size;
                return r == -ENOTCONN ? r : -EPIPE;
        }
        return 0;
}

void ble_write_stop(LinkBle *ble) {
        ble->write_io = sd_event_source_disable_unref(ble->write_io);
        ble->write_fd = safe_close(ble->write_fd);
        ble->write_call = sd_bus_slot_unref(ble->write_call);
        g_queue_clear_full(&ble->writes, free_write);
        ble->n_waiting = 0;
}
