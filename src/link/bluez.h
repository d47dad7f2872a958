/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What bluetoothd knows, kept up to date by its signals, on a connection of its own to the
 * system bus. bluetoothd and the bus may come and go at any time. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define NUS_SERVICE_UUID "6e400001-b5a3-f393-e0a9-e50e24dcca9e" /* wire reference 1.3 */
#define NUS_RX_UUID      "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
#define NUS_TX_UUID      "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

#define BLUEZ_ADAPTER        "org.bluez.Adapter1"
#define BLUEZ_DEVICE         "org.bluez.Device1"
#define BLUEZ_CHARACTERISTIC "org.bluez.GattCharacteristic1"

typedef struct Bluez Bluez;
typedef struct BluezWatch BluezWatch;

/* Strings are never NULL, valid UTF-8, and else as bluetoothd gave them. */
typedef struct BluezAdapter {
        char *path, *address, *alias;
        char *modalias; /* "usb:v1D6Bp0246d0542" for bluetoothd 5.66 */
        bool powered, pairable, discovering;
        bool can_monitor; /* bluez_monitor_new() */
} BluezAdapter;

typedef struct BluezDevice {
        char *path, *adapter, *address, *address_type, *name;
        bool paired;
        bool bonded; /* as paired where bluetoothd is too old to tell them apart */
        bool trusted, connected, services_resolved;
        bool has_nus; /* advertises the service of companion radios, or was seen to have it */
        bool has_rssi;
        int rssi;          /* dBm */
        unsigned n_lost;   /* times that Connected became false */
        char *lost_reason; /* org.bluez.Reason.… of the last time, "" where bluetoothd doesn't tell */
} BluezDevice;

typedef struct BluezCharacteristic {
        char *path, *uuid; /* lower case */
        bool can_write_command, can_notify;
} BluezCharacteristic;

typedef enum BluezChange {
        BLUEZ_CHANGED_SERVICE, /* path "": everything came or went */
        BLUEZ_CHANGED_ADAPTER,
        BLUEZ_CHANGED_DEVICE, /* also its characteristics; path is the device's */
        BLUEZ_CHANGED_LEFT,   /* a Disconnect of ours for this device has ended */
        _BLUEZ_CHANGE_MAX,
        _BLUEZ_CHANGE_INVALID = -22,
} BluezChange;

/* May free any watch and make calls; the objects may be gone. */
typedef void (*bluez_changed_t)(Bluez *bluez, BluezChange what, const char *path, void *userdata);

/* address: of the bus; NULL for the system bus. Never fails for want of a bus or bluetoothd: tries again
 * when asked to refresh. */
int bluez_new(sd_event *event, const char *address, Bluez **ret);
Bluez *bluez_ref(Bluez *bluez);
Bluez *bluez_unref(Bluez *bluez);
/* Waits until bluetoothd has seen all that it was told, for a second at most. NULL is allowed. */
void bluez_sync(Bluez *bluez);
/* At the end of a program, when its links are closed: waits until bluetoothd has seen that, which it must
 * before it learns that a client is gone (5.66 crashes when the end of the client's notifications comes after
 * that), and until connections that were ours have ended, for four seconds at most: whoever starts next would
 * take over one that dies. NULL is allowed. */
void bluez_settle(Bluez *bluez);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bluez, bluez_unref)

sd_event *bluez_event(Bluez *bluez);

/* Whether the picture is complete: bluetoothd runs and has told of its objects. */
bool bluez_is_ready(const Bluez *bluez);
/* Asks for the objects if the picture is not complete; with activate also starts bluetoothd, if the system
 * wants that. bluez_changed_t tells the end, also when nothing came of it: ret_error then. */
int bluez_refresh(Bluez *bluez, bool activate);
/* Why there is no picture: a negative errno, -EACCES when the bus forbids it; 0 if none. */
int bluez_error(const Bluez *bluez);

BluezWatch *bluez_watch(Bluez *bluez, bluez_changed_t changed, void *userdata);
/* NULL is allowed; returns NULL. */
BluezWatch *bluez_unwatch(BluezWatch *watch);

/* Valid until the next turn of the loop. NULL if there is none. */
const BluezAdapter *bluez_adapter(const Bluez *bluez, const char *path);
const BluezDevice *bluez_device(const Bluez *bluez, const char *path);
/* By name ("hci0") or address; NULL takes one with power before one without, then the lowest name. */
const BluezAdapter *bluez_find_adapter(const Bluez *bluez, const char *which);
/* Borrowed, in no order. */
GPtrArray *bluez_adapters(const Bluez *bluez); /* BluezAdapter */
GPtrArray *bluez_devices(const Bluez *bluez);  /* BluezDevice */
/* Of this device, by UUID. */
const BluezCharacteristic *bluez_characteristic(const Bluez *bluez, const char *device, const char *uuid);
/* Whether it looks like a companion radio: service, or the name that the firmware gives. */
bool bluez_device_is_radio(const BluezDevice *device);
bool bluez_is_address(const char *text);
/* Whether it has this address, or this name with or without the "MeshCore-" in front. */
bool bluez_device_is_called(const BluezDevice *device, const char *which);
/* The last part of the path: "hci0". */
const char *bluez_adapter_name(const BluezAdapter *adapter);

/* -- calls ------------------------------------------------------------------ */

/* A call of org.bluez that starts nothing. -ENOTCONN without a bus. */
int bluez_message(Bluez *bluez, const char *path, const char *interface, const char *member,
                  sd_bus_message **ret);
/* done runs once, within usec, unless the slot is dropped before. */
int bluez_call(Bluez *bluez, sd_bus_slot **ret_slot, sd_bus_message *message, sd_bus_message_handler_t done,
               void *userdata, uint64_t usec);
/* Nobody waits for the answer; failures are logged at debug level. */
void bluez_tell(Bluez *bluez, sd_bus_message *message);
/* A property of type b. */
int bluez_message_set(Bluez *bluez, const char *path, const char *interface, const char *property, bool value,
                      sd_bus_message **ret);

/* Ends a connection that we opened, or with forget removes the device and its bond (which may take 3 s);
 * nobody waits. bluez_is_leaving() until it is done. */
void bluez_leave(Bluez *bluez, const char *device, bool forget);
bool bluez_is_leaving(const Bluez *bluez, const char *device);

/* -- bluez-scan.c: our one discovery session of an adapter ------------------- */

typedef struct BluezScan BluezScan;

/* failed tells that bluetoothd refused to scan (a negative errno); at most once. The scan goes on until it is
 * freed, and is shared by those who ask for the same adapter. */
typedef void (*bluez_scan_failed_t)(BluezScan *scan, int error, void *userdata);
int bluez_scan_new(Bluez *bluez, const char *adapter, bluez_scan_failed_t failed, void *userdata,
                   BluezScan **ret);
BluezScan *bluez_scan_free(BluezScan *scan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BluezScan, bluez_scan_free)

/* -- bluez-monitor.c: listens for radios, and asks nobody for more ---------------- */

typedef struct BluezMonitor BluezMonitor;

/* Radios that advertise their service appear as with a scan, but those that nobody has seen before without a
 * name. failed tells that bluetoothd or the controller does not do that; at most once. Only where the adapter
 * has can_monitor (bluetoothd 5.66 has it as an experiment, -E). */
typedef void (*bluez_monitor_failed_t)(BluezMonitor *monitor, void *userdata);
int bluez_monitor_new(Bluez *bluez, const char *adapter, bluez_monitor_failed_t failed, void *userdata,
                      BluezMonitor **ret);
BluezMonitor *bluez_monitor_free(BluezMonitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BluezMonitor, bluez_monitor_free)

/* -- bluez-agent.c: answers bluetoothd's questions for one device -------------- */

typedef struct BluezAgent BluezAgent;

typedef struct BluezAgentHandler {
        /* 0 and a passkey of 0 to 999999, or a negative errno to refuse. */
        int (*passkey)(void *userdata, uint32_t *ret);
        /* bluetoothd wanted to pair in a way that proves nothing, and was refused. May be NULL. */
        void (*unproven)(void *userdata);
        /* bluetoothd gave the question up. May be NULL. */
        void (*cancelled)(void *userdata);
} BluezAgentHandler;

/* Registered while at least one is there, for all of them together; never made the default one. ready runs
 * when bluetoothd knows of the agent, with 0 or a negative errno. Everybody else's devices are refused. */
typedef void (*bluez_agent_ready_t)(int error, void *userdata);
int bluez_agent_new(Bluez *bluez, const char *device, const BluezAgentHandler *handler,
                    bluez_agent_ready_t ready, void *userdata, BluezAgent **ret);
BluezAgent *bluez_agent_free(BluezAgent *agent);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BluezAgent, bluez_agent_free)
