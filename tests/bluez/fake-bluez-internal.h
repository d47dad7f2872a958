/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by fake-bluez.c, fake-calls.c and fake-radio.c. */

#include "fake-bluez.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES     "org.freedesktop.DBus.Properties"
#define ADAPTER        "org.bluez.Adapter1"
#define DEVICE         "org.bluez.Device1"
#define SERVICE        "org.bluez.GattService1"
#define CHARACTERISTIC "org.bluez.GattCharacteristic1"

#define NUS_SERVICE "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
#define NUS_RX      "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
#define NUS_TX      "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

#define OK(expression)                                                   \
        do {                                                             \
                int r_ = (expression);                                   \
                if (r_ < 0)                                              \
                        g_error("%s: %s", #expression, g_strerror(-r_)); \
        } while (false)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)

typedef struct FakeAgent {
        char *sender, *path;
} FakeAgent;

/* call: held while the step waits, or NULL. */
typedef void (*fake_step_t)(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call);
void fake_after(FakeBluez *fake, uint64_t usec, fake_step_t step, FakeRadio *radio, sd_bus_message *call);
/* Forgets the steps of one radio but for those that a call waits for. run NULL: all. */
void fake_steps_drop(FakeBluez *fake, FakeRadio *radio, fake_step_t step);

/* Answers; a call that nobody waits for gets none. types NULL: empty. */
void fake_reply(FakeBluez *fake, sd_bus_message *call, const char *types, ...);
void fake_reply_error(FakeBluez *fake, sd_bus_message *call, const char *error, const char *text);
void fake_send(FakeBluez *fake, sd_bus_message *m);

void fake_handle(FakeBluez *fake, sd_bus_message *call);
/* Somebody left the real bus. */
void fake_client_gone(FakeBluez *fake, const char *sender);
FakeRadio *fake_find_radio(FakeBluez *fake, const char *path);
FakeAdapter *fake_find_adapter(FakeBluez *fake, const char *path);

/* -- fake-radio.c -- */
void fake_changed(FakeBluez *fake, const char *path, const char *interface, const char *property,
                  const char *types, ...);
void fake_append_objects(FakeBluez *fake, sd_bus_message *m);
void fake_radio_announce(FakeRadio *radio);
void fake_radio_lose_adapter(FakeRadio *radio); /* no power any more */
void fake_radio_lose(FakeRadio *radio);         /* bluetoothd died */
void fake_radio_free(FakeRadio *radio);
void fake_adapter_free(FakeAdapter *adapter);
void fake_device_call(FakeBluez *fake, FakeRadio *radio, const char *member, sd_bus_message *call);
void fake_characteristic_call(FakeBluez *fake, FakeRadio *radio, const char *member, sd_bus_message *call);
void fake_news(FakeRadio *radio, const char *text);
