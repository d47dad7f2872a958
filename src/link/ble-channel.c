/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "ble-internal.h"
#include "log.h"
#include "macros.h"
#include "protocol.h"

/* Frames over the two characteristics: a write is a command, a notification a frame (wire reference 1.3).
 * Writing is in ble-write.c. */

#define SUBSCRIBE_USEC (15 * USEC_PER_SEC) /* refused, and the link dead: no answer ever */
#define FRAME_MAX      300                 /* LinkHandler.frame() */
#define MTU_MIN        172u                /* the oldest ESP32 firmware; with less, frames are cut */

/* -- reading ---------------------------------------------------------------------- */

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        uint8_t frame[FRAME_MAX];
        ssize_t n;

        n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) {
                ble_end(ble, LINK_END_LOST, n < 0 ? errno : 0, _BOND_STATE_INVALID, BOND_REASON_NONE,
                        "the radio is out of reach, or switched off");
                return 0;
        }
        if ((size_t) n > sizeof(frame)) {
                log_debug("Ignoring a notification of %zi bytes", n);
                return 0;
        }

        if (!ble->proven) {
                ble->proven = true;
                bond_set_verified(ble->bond);
                if (ble->link.state != LINK_OPEN) /* an observer may have closed us */
                        return 0;
        }
        link_received(link, frame, (size_t) n);
        explicit_bzero(frame, (size_t) n); /* it may have been a key */
        return 0;
}

/* -- subscribing ------------------------------------------------------------------------ */

static void subscribe_failed(LinkBle *ble, const sd_bus_error *e) {
        const BluezDevice *d = ble_device(ble);
        const char *text = e->message ?: e->name;

        log_debug("AcquireNotify of %s: %s: %s", ble->address, e->name, text);
        if (ble_end_common(ble, e))
                return;
        /* By AcquireNotify, or by StartNotify. */
        if (strstr(text, "otify acquired") || sd_bus_error_has_name(e, "org.bluez.Error.InProgress")) {
                ble_end(ble, LINK_END_REFUSED, EBUSY, _BOND_STATE_INVALID, BOND_REASON_NONE,
                        "another program of this computer talks to the radio");
                return;
        }
        if (ble_error_is_access(e)) {
                if (d && d->paired)
                        ble_stale(ble, BOND_REASON_ENCRYPTION);
                else
                        ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, BOND_NEEDS_PIN, BOND_REASON_ENCRYPTION,
                                "the radio refuses us without a bond");
                return;
        }
        /* The services came from memory: the radio let all the time of ATT pass, and bluetoothd has given up
         * its channel, but not yet the link. */
        if (strcmp(text, "Not connected") == 0 && d && d->connected) {
                ble_end(ble, LINK_END_UNREACHABLE, ETIMEDOUT, ble_state_away(ble), BOND_REASON_TIMEOUT,
                        "the radio is connected but does not answer");
                return;
        }
        ble_end(ble, LINK_END_UNREACHABLE, ECONNRESET, ble_state_away(ble),
                sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) ? BOND_REASON_TIMEOUT
                                                                : BOND_REASON_UNREACHABLE,
                "the radio does not let us subscribe (%s)", text);
}

static int take_notify(LinkBle *ble, sd_bus_message *reply, uint16_t *ret_mtu) {
        int fd, r;

        r = sd_bus_message_read(reply, "hq", &fd, ret_mtu);
        if (r < 0)
                return r;

        ble->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (ble->fd < 0)
                return -errno;
        return sd_event_add_io(ble->link.event, &ble->io, ble->fd, EPOLLIN, on_readable, ble);
}

static int on_subscribed(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        uint16_t mtu = 0;
        int r;

        if (e) {
                subscribe_failed(ble, e);
                return 0;
        }

        r = take_notify(ble, reply, &mtu);
        if (r < 0) {
                ble_end_errno(ble, r, "cannot take over the notifications");
                return 0;
        }
        log_debug("Subscribed to %s, MTU %u", ble->address, (unsigned) mtu);
        if (mtu < MTU_MIN) {
                ble_end(ble, LINK_END_PROTOCOL, EMSGSIZE, _BOND_STATE_INVALID, BOND_REASON_NONE,
                        "the Bluetooth connection carries %u bytes at a time only (MTU %u), and %u are "
                        "needed",
                        mtu > 3 ? (unsigned) mtu - 3 : 0, (unsigned) mtu, MTU_MIN - 3);
                return 0;
        }

        ble->mtu = mtu;
        ble_enter(ble, BLE_OPEN, 0);
        link_opened(link);
        return 0;
}

void ble_subscribe(LinkBle *ble) {
        const BluezCharacteristic *rx = bluez_characteristic(ble->bluez, ble->device, NUS_RX_UUID);
        const BluezCharacteristic *tx = bluez_characteristic(ble->bluez, ble->device, NUS_TX_UUID);
        const BluezDevice *d = ble_device(ble);
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        /* A connection of somebody else's, or a bond that went meanwhile. */
        if (d && !d->paired && ble->step != BLE_PAIRING) {
                if (ble->options.check_only)
                        ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, BOND_NONE, BOND_REASON_NONE,
                                "the radio is not paired");
                else
                        ble_pair(ble);
                return;
        }
        if (!rx || !tx || !tx->can_notify) {
                ble_end(ble, LINK_END_PROTOCOL, ENOPROTOOPT, _BOND_STATE_INVALID, BOND_REASON_NONE,
                        "this is no companion radio: it has no UART service");
                return;
        }
        if (bond_state(ble->bond) != BOND_VERIFIED)
                bond_set(ble->bond, BOND_BONDED, BOND_REASON_NONE);

        g_free(ble->write_path);
        ble->write_path = g_strdup(rx->path);
        ble_enter(ble, BLE_SUBSCRIBING, 0);
        r = bluez_message(ble->bluez, tx->path, BLUEZ_CHARACTERISTIC, "AcquireNotify", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 0);
        if (r >= 0)
                r = bluez_call(ble->bluez, &ble->call, m, on_subscribed, ble, SUBSCRIBE_USEC);
        if (r < 0)
                ble_end_errno(ble, r, "cannot subscribe");
}

int link_ble_probe(Link *link) {
        static const uint8_t query[] = {CMD_DEVICE_QUERY, 3};

        return link_send(link, query, sizeof(query));
}

void ble_channel_stop(LinkBle *ble) {
        ble->io = sd_event_source_disable_unref(ble->io);
        ble->fd = safe_close(ble->fd);
        ble_write_stop(ble);
}
