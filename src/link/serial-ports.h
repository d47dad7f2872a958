/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The serial ports of this machine, and news of those that come and go: from
 * udev, and where udev does not look (pseudo terminals, links of one's own), from
 * the directory. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

typedef struct SerialPort {
        char *device;  /* "/dev/ttyACM0" */
        char *id;      /* the same on another socket: "239a:8029:SERIAL:00"; "" when it is not USB */
        bool is_radio; /* by the udev rule or, without it, by its USB ids and names */
} SerialPort;

SerialPort *serial_port_free(SerialPort *port);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SerialPort, serial_port_free)

/* What is known of the device at path, a link to one included. Returns 0 or a negative errno. */
int serial_port_identify(const char *path, SerialPort **ret);

/* Whether MeshCore radios have these USB ids; names are the device's own, and may be NULL. The udev rule
 * tags the same ones. */
bool usb_is_radio(unsigned vendor, unsigned product, const char *manufacturer_name, const char *product_name);

/* Whether it is a bridge of the kinds (CP210x, CH34x, FTDI, PL2303) that boards with MeshCore have, and all
 * kinds of other devices. */
bool usb_is_bridge(unsigned vendor, unsigned product);

/* How the device calls itself, and its link that stays the same over time (below /dev/serial/by-id); each
 * NULL where it has none. */
void serial_port_describe(const char *device, char **ret_name, char **ret_link);

typedef struct SerialPorts SerialPorts;

/* port and device are borrowed for the call. */
typedef struct SerialPortsHandler {
        /* udev is done with it: links are there, permissions are set. */
        void (*added)(const SerialPort *port, void *userdata);
        void (*removed)(const char *device, void *userdata);
        /* A watched path may have come or gone. */
        void (*touched)(const char *path, void *userdata);
} SerialPortsHandler;

/* Begins to listen. The handler is never called from inside. */
int serial_ports_new(sd_event *event, const SerialPortsHandler *handler, void *userdata, SerialPorts **ret);
SerialPorts *serial_ports_free(SerialPorts *ports);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SerialPorts, serial_ports_free)

/* The SerialPorts with is_radio that are there, in the order of their names, until the next turn of the
 * loop. */
const GPtrArray *serial_ports_radios(SerialPorts *ports);

/* The ports of this moment that are no radios for sure, but may be: behind a bridge, unless the udev property
 * ID_MESHCORE says that they are none. SerialPort, in the order of their names; nothing is opened. */
GPtrArray *serial_ports_candidates(void);

/* Tells of a path that udev has no part in; for others added and removed do. Watching twice needs
 * unwatching twice. Returns 0 or a negative errno. */
int serial_ports_watch(SerialPorts *ports, const char *path);
void serial_ports_unwatch(SerialPorts *ports, const char *path);
