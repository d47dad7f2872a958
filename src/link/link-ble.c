/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <time.h>

#include "ble-internal.h"
#include "log.h"
#include "macros.h"
#include "terminal.h"

/* Finding the radio and getting connected. What bluetoothd does in each situation was observed, its
 * documentation says less: a lost key, for one, is no error anywhere, only a connection that ends twice. */

#define SERVICE_USEC        (15 * USEC_PER_SEC)
#define POWER_USEC          (5 * USEC_PER_SEC)
#define SEARCH_USEC         (15 * USEC_PER_SEC)
#define LEAVING_USEC        (12 * USEC_PER_SEC)
#define CONNECT_USEC        (50 * USEC_PER_SEC) /* bluetoothd gives up after 41 s */
#define RESOLVE_USEC        (40 * USEC_PER_SEC) /* and a mute radio after 32 s */
#define LONG_TRY_USEC       (8 * USEC_PER_SEC)  /* a try that failed later than that needs no second one */
#define OWN_TRY_USEC        (6 * USEC_PER_SEC) /* until bluetoothd's own second try, with a slow advertiser */
#define PAUSE_MAX_USEC      (5 * USEC_PER_SEC)
#define TRIES_DEFAULT       2
#define LOST_TRIES_MAX      4u
#define NAME_PREFIX         "MeshCore-" /* wire reference 1.3 */
#define REASON_AUTH         "org.bluez.Reason.Authentication"
#define REASON_TIMEOUT_NAME "org.bluez.Reason.Timeout"
#define REASON_LOCAL        "org.bluez.Reason.Local"
#define REASON_SUSPEND      "org.bluez.Reason.Suspend"

static LinkBle *BLE(Link *link) {
        return (LinkBle *) link;
}

static uint64_t monotonic_usec(void) {
        struct timespec now;

        g_assert(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

const BluezDevice *ble_device(const LinkBle *ble) {
        return bluez_device(ble->bluez, ble->device);
}

/* -- ends ------------------------------------------------------------------------- */

void ble_end(LinkBle *ble, LinkEnd end, int error, BondState state, BondReason reason, const char *format,
             ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        if (state >= 0)
                bond_set(ble->bond, state, reason);
        link_ended(&ble->link, end, error, "%s", text);
}

BondState ble_state_away(const LinkBle *ble) {
        const BluezDevice *d = ble_device(ble);

        if (d ? d->paired
              : bond_state(ble->bond) == BOND_VERIFIED || bond_state(ble->bond) == BOND_BONDED ||
                                            bond_state(ble->bond) == BOND_UNREACHABLE)
                return BOND_UNREACHABLE;
        return BOND_NONE;
}

void ble_end_errno(LinkBle *ble, int error, const char *what) {
        ble_end(ble, LINK_END_UNREACHABLE, error, ble_state_away(ble), BOND_REASON_STACK, "%s: %s", what,
                g_strerror(ABS(error)));
}

static void end_adapter(LinkBle *ble, bool off) {
        const char *which = ble->adapter_wanted ?: "";

        /* What looked like a lost key was this. */
        bond_forget_drops(ble->bond);
        if (off)
                ble_end(ble, LINK_END_ADAPTER_OFF, ENETDOWN, ble_state_away(ble), BOND_REASON_ADAPTER,
                        "the Bluetooth adapter has no power: switch Bluetooth on (bluetoothctl power on)");
        else
                ble_end(ble, LINK_END_NOT_PLUGGED, ENODEV, ble_state_away(ble), BOND_REASON_ADAPTER,
                        "there is no Bluetooth adapter%s%s", *which ? " " : "", which);
}

static void end_service(LinkBle *ble) {
        int r = bluez_error(ble->bluez);

        bond_forget_drops(ble->bond);
        if (r == -EACCES || r == -EPERM)
                ble_end(ble, LINK_END_REFUSED, r, ble_state_away(ble), BOND_REASON_STACK,
                        "the system bus does not let us talk to the Bluetooth service");
        else
                ble_end(ble, ble->step == BLE_OPEN ? LINK_END_LOST : LINK_END_NOT_PLUGGED, ENODEV,
                        ble_state_away(ble), BOND_REASON_ADAPTER, "the Bluetooth service is not running");
}

bool ble_error_is_access(const sd_bus_error *e) {
        static const char *const codes[] = {"0x05", "0x08", "0x0c", "0x0f"};

        if (sd_bus_error_has_name(e, "org.bluez.Error.NotAuthorized"))
                return true;
        if (sd_bus_error_has_name(e, "org.bluez.Error.NotPermitted"))
                return g_strcmp0(e->message, "Not paired") == 0;
        for (size_t i = 0; e->message && i < ELEMENTSOF(codes); i++)
                if (strstr(e->message, "ATT error") && strstr(e->message, codes[i]))
                        return true;
        return false;
}

bool ble_end_common(LinkBle *ble, const sd_bus_error *e) {
        const BluezAdapter *a = ble->adapter ? bluez_adapter(ble->bluez, ble->adapter) : NULL;

        if (!bluez_is_ready(ble->bluez)) {
                end_service(ble);
                return true;
        }
        if (!a || !a->powered || sd_bus_error_has_name(e, "org.bluez.Error.NotReady") ||
            (e->message && strstr(e->message, "adapter-not-powered"))) {
                end_adapter(ble, a != NULL);
                return true;
        }
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_ACCESS_DENIED)) {
                ble_end(ble, LINK_END_REFUSED, EACCES, ble_state_away(ble), BOND_REASON_STACK,
                        "the system bus does not let us talk to the Bluetooth service");
                return true;
        }
        return false;
}

/* -- steps ---------------------------------------------------------------------------- */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

void ble_enter(LinkBle *ble, BleStep step, uint64_t usec) {
        int r = 0;

        ble->step = step;
        ble->step_began = monotonic_usec();
        ble->call = sd_bus_slot_unref(ble->call);
        ble->timer = sd_event_source_disable_unref(ble->timer);
        if (step != BLE_SEARCHING)
                ble->scan = bluez_scan_free(ble->scan);
        if (usec > 0)
                r = sd_event_add_time_relative(ble->link.event, &ble->timer, CLOCK_MONOTONIC, usec, 0,
                                               on_timer, ble);
        /* A step without its limit could last for ever. */
        if (r < 0)
                ble_end_errno(ble, r, "cannot arm a timer");
}

uint64_t ble_step_age(const LinkBle *ble) {
        return monotonic_usec() - ble->step_began;
}

/* -- finding --------------------------------------------------------------------------- */

static bool is_address(const char *text) {
        if (strlen(text) != 17)
                return false;
        for (size_t i = 0; i < 17; i++)
                if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
                        return false;
        return true;
}

static bool is_target(const LinkBle *ble, const BluezDevice *d) {
        if (ble->adapter && strcmp(d->adapter, ble->adapter) != 0)
                return false;
        if (!*ble->target)
                return bluez_device_is_radio(d);
        if (is_address(ble->target))
                return g_ascii_strcasecmp(d->address, ble->target) == 0;
        if (strcmp(d->name, ble->target) == 0)
                return true;
        return g_str_has_prefix(d->name, NAME_PREFIX) &&
               strcmp(d->name + strlen(NAME_PREFIX), ble->target) == 0;
}

/* A link that exists, then a bond, then who is near. */
static int score(const LinkBle *ble, const BluezDevice *d) {
        const BluezAdapter *a = bluez_adapter(ble->bluez, d->adapter);

        return (d->connected ? 8 : 0) + (d->paired ? 4 : 0) + (a && a->powered ? 2 : 0) +
               (d->has_rssi ? 1 : 0);
}

static const BluezDevice *find_device(const LinkBle *ble) {
        g_autoptr(GPtrArray) devices = bluez_devices(ble->bluez);
        const BluezDevice *best = NULL;

        for (guint i = 0; i < devices->len; i++) {
                const BluezDevice *d = devices->pdata[i];

                if (!is_target(ble, d))
                        continue;
                if (!best || score(ble, d) > score(ble, best) ||
                    (score(ble, d) == score(ble, best) && d->rssi > best->rssi))
                        best = d;
        }
        return best;
}

static void on_scan_failed(BluezScan *scan, int error, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);

        if (error == -ENETDOWN)
                end_adapter(ble, true);
        else
                ble_end_errno(ble, error, "the Bluetooth service refuses to scan");
}

static void search(LinkBle *ble) {
        int r;

        ble_enter(ble, BLE_SEARCHING, ble->options.search_usec ?: SEARCH_USEC);
        if (ble->link.state != LINK_OPENING)
                return;
        r = bluez_scan_new(ble->bluez, ble->adapter, on_scan_failed, ble, &ble->scan);
        if (r < 0)
                ble_end_errno(ble, r, "cannot scan");
}

static void end_not_found(LinkBle *ble) {
        g_autofree char *name = terminal_escape(ble->target);

        ble_end(ble, LINK_END_UNREACHABLE, EHOSTUNREACH, BOND_NONE, BOND_REASON_NOT_FOUND,
                "no radio %s%swas seen: is it on, near, and not connected to a phone?", name,
                *name ? " " : "");
}

static void take_device(LinkBle *ble, const BluezDevice *d) {
        g_free(ble->device);
        ble->device = g_strdup(d->path);
        g_free(ble->address);
        ble->address = g_strdup(d->address);
        ble->n_lost = d->n_lost;
        ble->ours = false;
}

static void forget_device(LinkBle *ble) {
        bluez_leave(ble->bluez, ble->device, true);
        ble_enter(ble, BLE_LEAVING, LEAVING_USEC);
}

/* A radio without a bond. */
static void begin_unpaired(LinkBle *ble, const BluezDevice *d) {
        if (ble->options.check_only) {
                ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, BOND_NONE, BOND_REASON_NONE,
                        "the radio is not paired");
                return;
        }

        /* An old entry says nothing about where the radio is, and could not be paired. */
        if (!d->connected && !d->has_rssi) {
                search(ble);
                return;
        }
        ble_pair(ble);
}

static void begin_device(LinkBle *ble, const BluezDevice *d) {
        take_device(ble, d);
        if (bluez_is_leaving(ble->bluez, ble->device)) {
                ble_enter(ble, BLE_LEAVING, LEAVING_USEC);
                return;
        }
        if (ble->options.repair && !ble->repaired) {
                ble->repaired = true;
                if (d->paired) {
                        forget_device(ble);
                        return;
                }
        }

        if (!d->paired)
                begin_unpaired(ble, d);
        else if (d->connected)
                ble_resolve(ble);
        else
                ble_connect(ble);
}

static bool need_power(LinkBle *ble, const BluezAdapter *a) {
        g_autoptr(sd_bus_message) power = NULL, pairable = NULL;

        if (a->powered)
                return false;
        if (!ble->options.power_on || ble->powered) {
                end_adapter(ble, true);
                return true;
        }

        ble->powered = true;
        ble_enter(ble, BLE_POWER, POWER_USEC);
        if (bluez_message_set(ble->bluez, a->path, BLUEZ_ADAPTER, "Powered", true, &power) >= 0)
                bluez_tell(ble->bluez, power);
        return true;
}

void ble_begin(LinkBle *ble) {
        const BluezAdapter *a;
        const BluezDevice *d;

        ble->adapter = (g_free(ble->adapter), NULL);
        if (ble->adapter_wanted) {
                a = bluez_find_adapter(ble->bluez, ble->adapter_wanted);
                if (!a) {
                        end_adapter(ble, false);
                        return;
                }
                ble->adapter = g_strdup(a->path);
        }

        d = find_device(ble);
        a = d ? bluez_adapter(ble->bluez, d->adapter) : bluez_find_adapter(ble->bluez, ble->adapter_wanted);
        if (!a) {
                end_adapter(ble, false);
                return;
        }
        g_free(ble->adapter);
        ble->adapter = g_strdup(a->path);
        if (need_power(ble, a))
                return;

        if (d)
                begin_device(ble, d);
        else if (ble->options.check_only)
                ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, BOND_NONE, BOND_REASON_NONE,
                        "the radio is not known to the Bluetooth service");
        else
                search(ble);
}

/* -- connecting ---------------------------------------------------------------------------- */

/* One connection that ended early is half of the evidence: the other half is worth a try. */
static unsigned tries_max(const LinkBle *ble) {
        unsigned tries = ble->options.tries ?: TRIES_DEFAULT;

        return bond_has_drops(ble->bond) ? MAX(tries, LOST_TRIES_MAX) : tries;
}

static void end_no_answer(LinkBle *ble, const char *text) {
        ble_end(ble, LINK_END_UNREACHABLE, EHOSTUNREACH, ble_state_away(ble), BOND_REASON_UNREACHABLE,
                "the radio does not answer: is it on, near, and not connected to a phone? (%s)", text);
}

static void connect_failed(LinkBle *ble, const sd_bus_error *e) {
        const char *text = e->message ?: e->name;

        log_debug("Connect to %s: %s: %s", ble->address, e->name, text);
        ble->refused = true;
        if (ble_end_common(ble, e))
                return;
        if (strstr(text, "key-missing")) {
                ble_stale(ble, BOND_REASON_KEY_MISSING);
                return;
        }
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_UNKNOWN_OBJECT) || !ble_device(ble)) {
                ble_begin(ble);
                return;
        }

        /* Who waited long for it has waited long enough. */
        if (++ble->n_tries >= tries_max(ble) ||
            (ble->options.tries == 0 && ble_step_age(ble) >= LONG_TRY_USEC)) {
                end_no_answer(ble, text);
                return;
        }
        /* Our patience ended, bluetoothd's did not: a new try would be refused. */
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY))
                bluez_leave(ble->bluez, ble->device, false);
        ble_enter(ble, BLE_PAUSE, MIN(ble->n_tries * USEC_PER_SEC, PAUSE_MAX_USEC));
}

static int on_connect(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        const BluezDevice *d = ble_device(ble);

        if (e &&
            !sd_bus_error_has_names(e, "org.bluez.Error.AlreadyConnected", "org.bluez.Error.InProgress") &&
            !(e->message && strstr(e->message, "already-connected"))) {
                connect_failed(ble, e);
                return 0;
        }
        if (!d)
                ble_begin(ble);
        else if (d->connected)
                ble_resolve(ble);
        else if (++ble->n_tries > MAX(tries_max(ble), LOST_TRIES_MAX))
                end_no_answer(ble, "the connection ends as soon as it is there");
        else /* gone again, or about to come: somebody else's Connect is under way */
                ble_enter(ble, BLE_PAUSE, OWN_TRY_USEC);
        return 0;
}

void ble_connect(LinkBle *ble) {
        uint64_t usec = ble->options.connect_usec ?: CONNECT_USEC;
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        ble_enter(ble, BLE_CONNECTING, 0);
        ble->ours = true;
        r = bluez_message(ble->bluez, ble->device, BLUEZ_DEVICE, "Connect", &m);
        if (r >= 0)
                r = bluez_call(ble->bluez, &ble->call, m, on_connect, ble, usec);
        if (r < 0)
                ble_end_errno(ble, r, "cannot connect");
}

void ble_resolve(LinkBle *ble) {
        const BluezDevice *d = ble_device(ble);

        if (d && d->services_resolved) {
                ble_subscribe(ble);
                return;
        }
        ble_enter(ble, BLE_RESOLVING, RESOLVE_USEC);
}

void ble_stale(LinkBle *ble, BondReason reason) {
        uint32_t passkey;
        int r;

        bond_forget_drops(ble->bond);
        bond_set(ble->bond, BOND_STALE, reason);
        r = ble->options.check_only || ble->repaired ? -ENOENT : bond_get_passkey(ble->bond, &passkey);
        if (r >= 0) {
                log_notice("The bond with %s is stale (%s): removing it, and pairing again", ble->address,
                           bond_reason_to_string(reason));
                ble->repaired = true;
                ble->ours = false; /* the removal ends the connection, too */
                forget_device(ble);
                return;
        }

        ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, BOND_STALE, reason,
                "the radio no longer accepts the stored bond (%s): pair it again with its PIN",
                bond_reason_to_string(reason));
}

/* The connection ended before the services were there. */
static void dropped(LinkBle *ble, const BluezDevice *d) {
        static const char *const innocent[] = {REASON_TIMEOUT_NAME, REASON_LOCAL, REASON_SUSPEND};
        const BluezAdapter *a = bluez_adapter(ble->bluez, d->adapter);
        bool counts = d->paired && a && a->powered;

        for (size_t i = 0; i < ELEMENTSOF(innocent); i++)
                counts = counts && strcmp(d->lost_reason, innocent[i]) != 0;

        if (counts && strcmp(d->lost_reason, REASON_AUTH) == 0) {
                ble_stale(ble, BOND_REASON_KEY_MISSING);
                return;
        }
        if (counts && bond_count_drop(ble->bond)) {
                /* With another key Connect fails; without one it succeeds, before or after the end is told.
                 */
                ble_stale(ble, ble->refused ? BOND_REASON_ENCRYPTION : BOND_REASON_KEY_MISSING);
                return;
        }
        /* Connect is still to answer in the other step. */
        if (ble->step == BLE_RESOLVING)
                ble_enter(ble, BLE_PAUSE, OWN_TRY_USEC);
}

/* -- what happens ----------------------------------------------------------------------------- */

static void device_changed(LinkBle *ble) {
        const BluezDevice *d = ble_device(ble);
        bool lost;

        if (!d) {
                if (ble->step == BLE_LEAVING)
                        return; /* there is a change of its own for it */
                if (ble->step == BLE_OPEN || ble->step == BLE_SUBSCRIBING)
                        ble_end(ble, LINK_END_LOST, ENODEV, BOND_NONE, BOND_REASON_NOT_FOUND,
                                "the radio was removed from the Bluetooth service");
                else if (ble->step > BLE_LEAVING && ble->step != BLE_PAIRING && ble->step != BLE_CONNECTING)
                        ble_begin(ble);
                return;
        }

        lost = d->n_lost != ble->n_lost;
        ble->n_lost = d->n_lost;
        switch (ble->step) {
        case BLE_CONNECTING:
        case BLE_RESOLVING:
                if (lost)
                        dropped(ble, d);
                else if (ble->step == BLE_RESOLVING && !d->connected &&
                         strcmp(d->lost_reason, REASON_AUTH) == 0)
                        ble_stale(ble, BOND_REASON_KEY_MISSING);
                else if (ble->step == BLE_RESOLVING && d->services_resolved) {
                        bond_forget_drops(ble->bond);
                        ble_subscribe(ble);
                }
                break;
        case BLE_PAUSE:
                if (lost)
                        dropped(ble, d);
                else if (d->connected)
                        ble_resolve(ble);
                break;
        case BLE_SUBSCRIBING:
        case BLE_OPEN:
                if (lost || !d->connected)
                        ble_end(ble, LINK_END_LOST, ECONNRESET, _BOND_STATE_INVALID, BOND_REASON_NONE,
                                "the radio is out of reach, or switched off%s%s", *d->lost_reason ? ": " : "",
                                d->lost_reason);
                break;
        default:
                break;
        }
}

static void adapter_changed(LinkBle *ble) {
        const BluezAdapter *a = ble->adapter ? bluez_adapter(ble->bluez, ble->adapter) : NULL;

        if (ble->step <= BLE_SERVICE)
                return;
        if (!a)
                end_adapter(ble, false);
        else if (ble->step == BLE_POWER && a->powered)
                ble_begin(ble);
        else if (ble->step != BLE_POWER && !a->powered)
                end_adapter(ble, true);
}

static void on_changed(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        const BluezDevice *d;

        switch (what) {
        case BLUEZ_CHANGED_SERVICE:
                if (!bluez_is_ready(bluez)) {
                        if (ble->step == BLE_SERVICE && bluez_error(bluez) == 0)
                                break; /* it has just come, and is asked for its objects */
                        end_service(ble);
                } else if (ble->step == BLE_SERVICE)
                        ble_begin(ble);
                break;
        case BLUEZ_CHANGED_ADAPTER:
                adapter_changed(ble);
                break;
        case BLUEZ_CHANGED_LEFT:
                if (ble->step == BLE_LEAVING && g_strcmp0(path, ble->device) == 0)
                        ble_begin(ble);
                break;
        case BLUEZ_CHANGED_DEVICE:
                if (ble->step == BLE_SEARCHING) {
                        d = bluez_device(bluez, path);
                        if (d && (d->has_rssi || d->connected) && is_target(ble, d))
                                begin_device(ble, d);
                } else if (g_strcmp0(path, ble->device) == 0)
                        device_changed(ble);
                break;
        default:
                break;
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        const BluezDevice *d = ble_device(ble);

        ble->timer = sd_event_source_disable_unref(ble->timer);
        switch (ble->step) {
        case BLE_SERVICE:
                end_service(ble);
                break;
        case BLE_POWER:
                end_adapter(ble, true);
                break;
        case BLE_SEARCHING:
                end_not_found(ble);
                break;
        case BLE_PAUSE:
                if (d && d->connected)
                        ble_resolve(ble);
                else if (d)
                        ble_connect(ble);
                else
                        ble_begin(ble);
                break;
        case BLE_RESOLVING:
                ble_end(ble, LINK_END_UNREACHABLE, ETIMEDOUT, ble_state_away(ble), BOND_REASON_TIMEOUT,
                        "the radio is connected but does not answer");
                break;
        default:
                ble_end(ble, LINK_END_UNREACHABLE, ETIMEDOUT, ble_state_away(ble), BOND_REASON_TIMEOUT,
                        "the Bluetooth service does not answer");
        }
        return 0;
}

/* -- life ---------------------------------------------------------------------------------------- */

static int on_start(sd_event_source *source, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        uint32_t passkey;
        int r;

        ble->defer = sd_event_source_disable_unref(ble->defer);

        /* A person is asked for; the radio has said all that it has to say. */
        if (bond_is_waiting(ble->bond) && bond_get_passkey(ble->bond, &passkey) < 0) {
                ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, _BOND_STATE_INVALID, BOND_REASON_NONE,
                        "the radio must be paired with its PIN (%s)",
                        bond_reason_to_string(bond_reason(ble->bond)));
                return 0;
        }

        ble->watch = bluez_watch(ble->bluez, on_changed, ble);
        if (bluez_is_ready(ble->bluez)) {
                ble_begin(ble);
                return 0;
        }

        ble_enter(ble, BLE_SERVICE, SERVICE_USEC);
        r = bluez_refresh(ble->bluez, !ble->options.check_only);
        if (r < 0)
                end_service(ble);
        return 0;
}

static int ble_open(Link *link) {
        LinkBle *ble = BLE(link);
        int r;

        r = sd_event_add_defer(link->event, &ble->defer, on_start, ble);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(ble->defer, SD_EVENT_ONESHOT);
}

static void ble_stop(Link *link) {
        LinkBle *ble = BLE(link);
        const BluezDevice *d = ble_device(ble);

        ble->watch = bluez_unwatch(ble->watch);
        ble->defer = sd_event_source_disable_unref(ble->defer);
        ble->timer = sd_event_source_disable_unref(ble->timer);
        ble_channel_stop(ble);
        ble_pair_stop(ble);
        ble->scan = bluez_scan_free(ble->scan);
        ble->call = sd_bus_slot_unref(ble->call);

        /* A pairing that failed leaves an entry without keys behind. */
        if (d && ble->half_done && !d->paired)
                bluez_leave(ble->bluez, ble->device, true);
        else if (d && ble->ours)
                bluez_leave(ble->bluez, ble->device, false);
        ble->half_done = ble->ours = false;
        ble->step = BLE_IDLE;
}

static void ble_free(Link *link) {
        LinkBle *ble = BLE(link);

        g_free(ble->target);
        g_free(ble->adapter_wanted);
        g_free(ble->adapter);
        g_free(ble->device);
        g_free(ble->address);
        g_free(ble->write_path);
        bluez_unref(ble->bluez);
        g_free(ble);
}

static const LinkOps ble_ops = {
                .open = ble_open,
                .send = ble_send,
                .stop = ble_stop,
                .free = ble_free,
};

int link_new_ble(Bluez *bluez, Bond *bond, const char *target, const BleOptions *options,
                 const LinkHandler *handler, void *userdata, Link **ret) {
        LinkBle *ble = g_new0(LinkBle, 1);

        link_init(&ble->link, &ble_ops, bluez_event(bluez), handler, userdata);
        ble->bluez = bluez_ref(bluez);
        ble->bond = bond;
        ble->target = g_strdup(target);
        if (options)
                ble->options = *options;
        ble->adapter_wanted = g_strdup(ble->options.adapter);
        ble->options.adapter = ble->adapter_wanted;
        ble->fd = -EBADF;
        g_queue_init(&ble->writes);

        *ret = &ble->link;
        return 0;
}

const char *link_ble_address(const Link *link) {
        return ((const LinkBle *) link)->address ?: "";
}
