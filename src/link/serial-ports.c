/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-device.h>

#include "log.h"
#include "macros.h"
#include "serial-ports.h"
#include "utf8.h"

#define ARM_TRIES 16

/* A directory in which a watched path, or the next missing part of it, will show up. */
typedef struct Watch {
        SerialPorts *ports;
        char *path, *directory;
        unsigned n_users;
        sd_event_source *source;
} Watch;

struct SerialPorts {
        sd_event *event;
        SerialPortsHandler handler;
        void *userdata;
        sd_device_monitor *monitor; /* NULL: no udev, as in a container */
        GPtrArray *radios;          /* SerialPort */
        GHashTable *watches;        /* path → Watch */
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_device, sd_device_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_device_enumerator, sd_device_enumerator_unref)

/* -- which ones are radios ------------------------------------------------------ */

/* What the build files of the firmware give its boards. Those with nRF52840 have
 * other ids while their boot loader runs, except the Pro Micro. Bridges (CP210x, CH34x,
 * FTDI) are in all kinds of devices and are never taken for a radio. */
static const struct {
        unsigned vendor, product;
} radio_ids[] = {
                {0x239A, 0x8029}, /* RAK4631, RAK3401, T114, T-Echo, T1000-E and most other nRF52840 */
                {0x239A, 0x802A}, {0x239A, 0x4405}, /* Heltec Mesh Pocket and Tower, ThinkNode M1, M3, M6 */
                {0x239A, 0x00B3},                   /* Pro Micro nRF52840, Keepteen LT1 */
                {0x2886, 0x8044},                   /* Seeed XIAO nRF52840 */
                {0x2886, 0x0057},                   /* Seeed MeshTracker X1 */
                {0x2886, 0x0059},                   /* Seeed SenseCAP Solar */
                {0x2886, 0x1667},                   /* Seeed Wio Tracker L1 */
                {0x2886, 0x1668}, {0x303A, 0x1001}, /* ESP32-S3, its own USB unit */
};

/* What the boards of ESP32 have, in the order of the count of boards; a product of 0 stands for all. */
static const struct {
        unsigned vendor, product;
} bridge_ids[] = {
                {0x10C4, 0xEA60}, /* Silicon Labs CP2102, CP2104 */
                {0x1A86, 0}, /* QinHeng CH340, CH341, CH343, CH9102; they make nothing else with a port */
                {0x0403, 0x6001}, /* FTDI FT232 */
                {0x0403, 0x6015}, /* FTDI FT230X */
                {0x067B, 0x2303}, /* Prolific PL2303 */
};

static bool names_meshcore(const char *name) {
        g_autofree char *lower = name ? g_ascii_strdown(name, -1) : NULL;

        return lower && strstr(lower, "meshcore");
}

bool usb_is_radio(unsigned vendor, unsigned product, const char *manufacturer_name,
                  const char *product_name) {
        for (size_t i = 0; i < ELEMENTSOF(radio_ids); i++)
                if (radio_ids[i].vendor == vendor && radio_ids[i].product == product)
                        return true;

        return names_meshcore(manufacturer_name) || names_meshcore(product_name);
}

bool usb_is_bridge(unsigned vendor, unsigned product) {
        for (size_t i = 0; i < ELEMENTSOF(bridge_ids); i++)
                if (bridge_ids[i].vendor == vendor &&
                    (bridge_ids[i].product == 0 || bridge_ids[i].product == product))
                        return true;
        return false;
}

SerialPort *serial_port_free(SerialPort *port) {
        if (!port)
                return NULL;

        g_free(port->device);
        g_free(port->id);
        return g_free(port), NULL;
}

static void drop_port(void *port) {
        serial_port_free(port);
}

static const char *attribute(sd_device *device, const char *name) {
        const char *value;

        return sd_device_get_sysattr_value(device, name, &value) >= 0 ? value : NULL;
}

static unsigned parse_id(const char *text) {
        guint64 value;

        return text && g_ascii_string_to_unsigned(text, 16, 0, 0xFFFF, &value, NULL) ? (unsigned) value : 0;
}

/* Of a tty on USB. The ids come from the device itself, so that they are the
 * same with and without udev. */
static void identify_usb(SerialPort *port, sd_device *tty, sd_device *usb) {
        const char *vendor = attribute(usb, "idVendor"), *product = attribute(usb, "idProduct");
        const char *interface = NULL, *tag;
        sd_device *parent;

        if (sd_device_get_parent_with_subsystem_devtype(tty, "usb", "usb_interface", &parent) >= 0)
                interface = attribute(parent, "bInterfaceNumber");
        port->id = g_strdup_printf("%s:%s:%s:%s", vendor ?: "", product ?: "", attribute(usb, "serial") ?: "",
                                   interface ?: "");

        if (sd_device_get_property_value(tty, "ID_MESHCORE", &tag) >= 0)
                port->is_radio = strcmp(tag, "1") == 0;
        else
                port->is_radio = usb_is_radio(parse_id(vendor), parse_id(product),
                                              attribute(usb, "manufacturer"), attribute(usb, "product"));
}

static SerialPort *make_port(sd_device *tty, const char *name) {
        SerialPort *port = g_new0(SerialPort, 1);
        sd_device *usb;

        port->device = g_strdup(name);
        if (sd_device_get_parent_with_subsystem_devtype(tty, "usb", "usb_device", &usb) >= 0)
                identify_usb(port, tty, usb);
        else
                port->id = g_strdup("");
        return port;
}

int serial_port_identify(const char *path, SerialPort **ret) {
        g_autofree char *real = realpath(path, NULL);
        g_autoptr(sd_device) device = NULL;
        int r;

        if (!real)
                return -errno;
        r = sd_device_new_from_devname(&device, real);
        if (r < 0)
                return r;

        *ret = make_port(device, real);
        return 0;
}

void serial_port_describe(const char *device, char **ret_name, char **ret_link) {
        g_autoptr(sd_device) tty = NULL;
        const char *name;
        sd_device *usb;

        *ret_name = *ret_link = NULL;
        if (sd_device_new_from_devname(&tty, device) < 0)
                return;

        if (sd_device_get_parent_with_subsystem_devtype(tty, "usb", "usb_device", &usb) >= 0)
                name = attribute(usb, "product");
        else
                name = NULL;
        *ret_name = name ? utf8_repair(name, strlen(name)) : NULL;

        for (const char *link = sd_device_get_devlink_first(tty); link;
             link = sd_device_get_devlink_next(tty))
                if (g_str_has_prefix(link, "/dev/serial/by-id/")) {
                        *ret_link = utf8_repair(link, strlen(link));
                        return;
                }
}

/* As libsystemd itself does: without the control socket nobody sends events. */
static bool has_udev(void) {
        return access("/run/udev/control", F_OK) >= 0;
}

/* -- udev ------------------------------------------------------------------------- */

static int compare_ports(const void *a, const void *b) {
        const SerialPort *const *x = a, *const *y = b;

        return strcmp((*x)->device, (*y)->device);
}

static void forget_radio(SerialPorts *ports, const char *device) {
        for (guint i = 0; i < ports->radios->len; i++)
                if (strcmp(((SerialPort *) ports->radios->pdata[i])->device, device) == 0) {
                        g_ptr_array_remove_index(ports->radios, i);
                        return;
                }
}

static int on_device(sd_device_monitor *monitor, sd_device *device, void *userdata) {
        SerialPorts *ports = userdata;
        g_autoptr(SerialPort) port = NULL;
        sd_device_action_t action;
        const char *name;
        SerialPort *copy;

        if (sd_device_get_action(device, &action) < 0 || sd_device_get_devname(device, &name) < 0)
                return 0;

        forget_radio(ports, name);
        if (action == SD_DEVICE_REMOVE) {
                ports->handler.removed(name, ports->userdata);
                return 0;
        }

        port = make_port(device, name);
        log_debug("%s is there, %s%s", name, *port->id ? port->id : "not on USB",
                  port->is_radio ? ", a radio" : "");
        if (port->is_radio) {
                copy = g_new0(SerialPort, 1);
                *copy = (SerialPort){g_strdup(port->device), g_strdup(port->id), true};
                g_ptr_array_add(ports->radios, copy);
                g_ptr_array_sort(ports->radios, compare_ports);
        }
        ports->handler.added(port, ports->userdata);
        return 0;
}

static int monitor_start(SerialPorts *ports) {
        int r;

        r = sd_device_monitor_new(&ports->monitor);
        if (r >= 0)
                r = sd_device_monitor_filter_add_match_subsystem_devtype(ports->monitor, "tty", NULL);
        if (r >= 0)
                r = sd_device_monitor_attach_event(ports->monitor, ports->event);
        if (r >= 0)
                r = sd_device_monitor_start(ports->monitor, on_device, ports);
        if (r < 0)
                ports->monitor = sd_device_monitor_unref(ports->monitor);
        return r;
}

static int enumerate(bool udev, sd_device_enumerator **ret) {
        g_autoptr(sd_device_enumerator) enumerator = NULL;
        int r;

        r = sd_device_enumerator_new(&enumerator);
        if (r >= 0)
                r = sd_device_enumerator_add_match_subsystem(enumerator, "tty", true);
        /* Either name fits. The many others are no USB ports. */
        if (r >= 0)
                r = sd_device_enumerator_add_match_sysname(enumerator, "ttyACM*");
        if (r >= 0)
                r = sd_device_enumerator_add_match_sysname(enumerator, "ttyUSB*");
        if (r >= 0 && !udev)
                r = sd_device_enumerator_allow_uninitialized(enumerator);
        if (r >= 0)
                *ret = g_steal_pointer(&enumerator);
        return r;
}

static int find_radios(SerialPorts *ports) {
        g_autoptr(sd_device_enumerator) enumerator = NULL;
        int r;

        r = enumerate(ports->monitor != NULL, &enumerator);
        if (r < 0)
                return r;

        for (sd_device *d = sd_device_enumerator_get_device_first(enumerator); d;
             d = sd_device_enumerator_get_device_next(enumerator)) {
                g_autoptr(SerialPort) port = NULL;
                const char *name;

                if (sd_device_get_devname(d, &name) < 0)
                        continue;
                port = make_port(d, name);
                if (port->is_radio)
                        g_ptr_array_add(ports->radios, g_steal_pointer(&port));
        }
        g_ptr_array_sort(ports->radios, compare_ports);
        return 0;
}

/* No radio for sure, and nobody has said so. */
static bool is_candidate(const SerialPort *port, sd_device *tty) {
        const char *tag;
        sd_device *usb;

        if (port->is_radio || sd_device_get_property_value(tty, "ID_MESHCORE", &tag) >= 0 ||
            sd_device_get_parent_with_subsystem_devtype(tty, "usb", "usb_device", &usb) < 0)
                return false;
        return usb_is_bridge(parse_id(attribute(usb, "idVendor")), parse_id(attribute(usb, "idProduct")));
}

GPtrArray *serial_ports_candidates(void) {
        GPtrArray *found = g_ptr_array_new_with_free_func(drop_port);
        g_autoptr(sd_device_enumerator) enumerator = NULL;
        int r;

        r = enumerate(has_udev(), &enumerator);
        if (r < 0) {
                (void) log_debug_errno(r, "Cannot list serial ports, ignoring");
                return found;
        }

        for (sd_device *d = sd_device_enumerator_get_device_first(enumerator); d;
             d = sd_device_enumerator_get_device_next(enumerator)) {
                g_autoptr(SerialPort) port = NULL;
                const char *name;

                if (sd_device_get_devname(d, &name) < 0)
                        continue;
                port = make_port(d, name);
                if (is_candidate(port, d))
                        g_ptr_array_add(found, g_steal_pointer(&port));
        }
        g_ptr_array_sort(found, compare_ports);
        return found;
}

/* -- directories -------------------------------------------------------------------- */

/* udev makes nodes and links below /dev in steps; it tells when it is done. */
static bool is_for_udev(const SerialPorts *ports, const char *path) {
        return ports->monitor && g_str_has_prefix(path, "/dev/") && !g_str_has_prefix(path, "/dev/pts/") &&
               !g_str_has_prefix(path, "/dev/shm/");
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata);

/* Whether the part of the path below the directory is missing, as it should be
 * when it is not the last one. */
static bool next_is_there(const Watch *watch) {
        size_t size = strlen(watch->directory);
        const char *rest = watch->path + size + strspn(watch->path + size, "/");
        g_autofree char *next = NULL;

        if (!strchr(rest, '/'))
                return false;
        next = g_strndup(watch->path, (size_t) (rest - watch->path) + strcspn(rest, "/"));
        return access(next, F_OK) >= 0;
}

static int watch_nearest(Watch *watch) {
        const uint32_t mask = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ATTRIB |
                              IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
        g_autofree char *directory = g_path_get_dirname(watch->path);

        for (;;) {
                char *parent;
                int r;

                watch->source = sd_event_source_disable_unref(watch->source);
                r = sd_event_add_inotify(watch->ports->event, &watch->source, directory, mask, on_inotify,
                                         watch);
                if (r >= 0) {
                        g_free(watch->directory);
                        watch->directory = g_steal_pointer(&directory);
                        return 0;
                }
                if ((r != -ENOENT && r != -ENOTDIR) || strcmp(directory, "/") == 0)
                        return r;

                parent = g_path_get_dirname(directory);
                g_free(directory);
                directory = parent;
        }
}

/* The nearest directory that exists; again when the one below it came just now. */
static int watch_arm(Watch *watch) {
        for (unsigned i = 0; i < ARM_TRIES; i++) {
                int r = watch_nearest(watch);

                if (r < 0 || !next_is_there(watch))
                        return r;
        }
        return -EAGAIN;
}

/* Whether the event is about the part of the path that lies in the directory. */
static bool concerns(const Watch *watch, const struct inotify_event *event) {
        const char *rest = watch->path + strlen(watch->directory);
        size_t size;

        if (event->len == 0)
                return (event->mask & ~(uint32_t) (IN_ATTRIB | IN_ISDIR)) != 0;

        rest += strspn(rest, "/");
        size = strcspn(rest, "/");
        return strlen(event->name) == size && strncmp(event->name, rest, size) == 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        Watch *watch = userdata;
        g_autofree char *path = NULL, *parent = NULL;
        int r;

        if (!concerns(watch, event))
                return 0;

        /* A directory came or went. */
        parent = g_path_get_dirname(watch->path);
        if (event->len == 0 || strcmp(parent, watch->directory) != 0) {
                r = watch_arm(watch);
                if (r < 0)
                        (void) log_warning_errno(r, "Cannot watch for %s any more", watch->path);
        }

        path = g_strdup(watch->path);
        watch->ports->handler.touched(path, watch->ports->userdata);
        return 0;
}

static void watch_free(void *p) {
        Watch *watch = p;

        sd_event_source_disable_unref(watch->source);
        g_free(watch->path);
        g_free(watch->directory);
        g_free(watch);
}

int serial_ports_watch(SerialPorts *ports, const char *path) {
        Watch *watch;
        int r;

        if (is_for_udev(ports, path))
                return 0;

        watch = g_hash_table_lookup(ports->watches, path);
        if (watch) {
                watch->n_users++;
                return 0;
        }

        watch = g_new0(Watch, 1);
        *watch = (Watch){.ports = ports, .path = g_strdup(path), .n_users = 1};
        r = watch_arm(watch);
        if (r < 0) {
                watch_free(watch);
                return r;
        }

        g_hash_table_insert(ports->watches, watch->path, watch);
        return 0;
}

void serial_ports_unwatch(SerialPorts *ports, const char *path) {
        Watch *watch = g_hash_table_lookup(ports->watches, path);

        if (watch && --watch->n_users == 0)
                g_hash_table_remove(ports->watches, path);
}

/* -- life ----------------------------------------------------------------------------- */

int serial_ports_new(sd_event *event, const SerialPortsHandler *handler, void *userdata, SerialPorts **ret) {
        g_autoptr(SerialPorts) ports = g_new0(SerialPorts, 1);
        int r;

        ports->event = sd_event_ref(event);
        ports->handler = *handler;
        ports->userdata = userdata;
        ports->radios = g_ptr_array_new_with_free_func(drop_port);
        ports->watches = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, watch_free);

        if (has_udev()) {
                r = monitor_start(ports);
                if (r < 0)
                        (void) log_warning_errno(r, "Cannot listen for devices, ports are tried "
                                                    "from time to time instead");
        } else
                log_debug("There is no udev: ports are found by their directories only");

        /* After listening has begun, so that none is missed. */
        r = find_radios(ports);
        if (r < 0)
                (void) log_debug_errno(r, "Cannot list serial ports, ignoring");

        *ret = g_steal_pointer(&ports);
        return 0;
}

SerialPorts *serial_ports_free(SerialPorts *ports) {
        if (!ports)
                return NULL;

        g_hash_table_unref(ports->watches);
        g_ptr_array_unref(ports->radios);
        sd_device_monitor_unref(ports->monitor);
        sd_event_unref(ports->event);
        return g_free(ports), NULL;
}

const GPtrArray *serial_ports_radios(SerialPorts *ports) {
        return ports->radios;
}
