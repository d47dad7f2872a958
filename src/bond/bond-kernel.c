/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bond-tool.h"
#include "macros.h"

/* bluetoothd gives the programs of a link two seconds before it ends it. The kernel's own management
 * interface, which is what bluetoothd asks then, ends it at once; for those with CAP_NET_ADMIN, and for
 * nobody else. */

#define BTPROTO_HCI         1
#define HCI_DEV_NONE        0xFFFF
#define HCI_CHANNEL_CONTROL 3
#define MGMT_OP_DISCONNECT  0x0014
#define ADDRESS_LE_PUBLIC   1
#define ADDRESS_LE_RANDOM   2
#define ADDRESS_SIZE        6

struct sockaddr_hci {
        sa_family_t family;
        uint16_t device, channel;
};

/* Little endian, the last octet of the address first. */
typedef struct __attribute__((packed)) Disconnect {
        uint16_t opcode, adapter, size;
        uint8_t address[ADDRESS_SIZE];
        uint8_t type;
} Disconnect;

static int parse_address(const char *text, uint8_t *ret) {
        unsigned octets[ADDRESS_SIZE];
        char end;

        if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &octets[0], &octets[1], &octets[2], &octets[3],
                   &octets[4], &octets[5], &end) != ADDRESS_SIZE)
                return -EINVAL;
        for (size_t i = 0; i < ADDRESS_SIZE; i++)
                ret[i] = (uint8_t) octets[ADDRESS_SIZE - 1 - i];
        return 0;
}

int kernel_disconnect(const BluezDevice *device) {
        const struct sockaddr_hci control = {AF_BLUETOOTH, HCI_DEV_NONE, HCI_CHANNEL_CONTROL};
        const char *slash = strrchr(device->adapter, '/');
        _cleanup_close_ int fd = -EBADF;
        Disconnect message;
        unsigned adapter;
        int r;

        if (!slash || sscanf(slash, "/hci%u", &adapter) != 1 || adapter >= HCI_DEV_NONE)
                return -EINVAL;

        message = (Disconnect){
                        .opcode = GUINT16_TO_LE(MGMT_OP_DISCONNECT),
                        .adapter = GUINT16_TO_LE((uint16_t) adapter),
                        .size = GUINT16_TO_LE(ADDRESS_SIZE + 1),
                        .type = strcmp(device->address_type, "public") == 0 ? ADDRESS_LE_PUBLIC
                                                                            : ADDRESS_LE_RANDOM,
        };
        r = parse_address(device->address, message.address);
        if (r < 0)
                return r;

        fd = socket(AF_BLUETOOTH, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, BTPROTO_HCI);
        if (fd < 0)
                return -errno;
        if (bind(fd, (const struct sockaddr *) &control, sizeof(control)) < 0 ||
            send(fd, &message, sizeof(message), 0) < 0)
                return -errno;

        /* Whether it was allowed is told by bluetoothd, when the link has ended. */
        return 0;
}
