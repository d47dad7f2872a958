/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "bus-internal.h"

/* What a client says of a contact. Here it becomes the radio's units; what the radio
 * checks itself (lengths, ranges of what fits) is not checked twice. */

static int read_type(sd_bus_message *m, const char *signature, void *ret, sd_bus_error *error) {
        uint8_t *type = ret;
        const char *name;
        int r;

        if (signature[0] == 'y') {
                r = sd_bus_message_read_basic(m, 'y', type);
                return r < 0 ? bus_error_arguments(error, r) : 0;
        }

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return bus_error_arguments(error, r);
        for (uint8_t i = CONTACT_CHAT; i < _CONTACT_TYPE_MAX; i++)
                if (strcmp(contact_type_to_string(i), name) == 0) {
                        *type = i;
                        return 0;
                }
        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                             "Type is \"%s\" instead of chat, repeater, room, sensor or a number", name);
}

static int read_flags(sd_bus_message *m, const char *signature, void *ret, sd_bus_error *error) {
        uint32_t flags;
        int r;

        r = sd_bus_message_read_basic(m, 'u', &flags);
        if (r < 0)
                return bus_error_arguments(error, r);
        if (flags > UINT8_MAX)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "Flags is %u, above %i", flags,
                                     UINT8_MAX);

        *(uint8_t *) ret = (uint8_t) flags;
        return 0;
}

static int read_favourite(sd_bus_message *m, const char *signature, void *ret, sd_bus_error *error) {
        int favourite, r;

        r = sd_bus_message_read_basic(m, 'b', &favourite);
        if (r < 0)
                return bus_error_arguments(error, r);

        *(bool *) ret = favourite;
        return 0;
}

/* To the nearest. */
static int32_t to_e6(double degrees) {
        return (int32_t) (degrees * 1e6 + (degrees < 0 ? -0.5 : 0.5));
}

static int read_location(sd_bus_message *m, const char *signature, void *ret, sd_bus_error *error) {
        ContactFields *fields = ret;
        double lat, lon;
        int r;

        r = sd_bus_message_read(m, "(dd)", &lat, &lon);
        if (r < 0)
                return bus_error_arguments(error, r);
        /* Not a number is in no range. */
        if (!(fabs(lat) <= CONTACT_LAT_E6_MAX / 1e6) || !(fabs(lon) <= CONTACT_LON_E6_MAX / 1e6))
                return bus_error_set(
                                error, OUTCOME_INVALID_ARGUMENTS,
                                "Location has a latitude from -90 to 90 degrees and a longitude from -180 "
                                "to 180");

        fields->lat_e6 = to_e6(lat);
        fields->lon_e6 = to_e6(lon);
        return 0;
}

static int read_last_advert(sd_bus_message *m, const char *signature, void *ret, sd_bus_error *error) {
        uint64_t usec;
        int r;

        r = sd_bus_message_read_basic(m, 't', &usec);
        if (r < 0)
                return bus_error_arguments(error, r);
        if (usec / USEC_PER_SEC > UINT32_MAX)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "LastAdvertUSec is beyond the year 2106, where radios' clocks end");

        *(uint32_t *) ret = (uint32_t) (usec / USEC_PER_SEC);
        return 0;
}

static int read_key(sd_bus_message *m, const char *signature, void *ret, sd_bus_error *error) {
        const char *text;
        int r;

        r = sd_bus_message_read_basic(m, 's', &text);
        if (r < 0)
                return bus_error_arguments(error, r);
        if (key_from_text(text, ret) < 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "Key is not 64 hex digits");
        return 0;
}

int bus_read_path(sd_bus_message *m, PathHop *ret, size_t *ret_n, sd_bus_error *error) {
        const void *bytes;
        size_t size, n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "ay");
        if (r < 0)
                return bus_error_arguments(error, r);

        while ((r = sd_bus_message_read_array(m, 'y', &bytes, &size)) > 0) {
                if (size < 1 || size > CONTACT_PATH_HASH_MAX)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                             "A hop of the path has %zu bytes instead of 1 to %i", size,
                                             CONTACT_PATH_HASH_MAX);
                if (n >= CONTACT_PATH_HOPS_MAX)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                             "The path has more than %i hops", CONTACT_PATH_HOPS_MAX);
                ret[n] = (PathHop){.size = (uint8_t) size};
                memcpy(ret[n++].bytes, bytes, size);
        }
        if (r < 0)
                return bus_error_arguments(error, r);

        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return bus_error_arguments(error, r);

        *ret_n = n;
        return 0;
}

static int read_path(sd_bus_message *m, const char *signature, void *ret, sd_bus_error *error) {
        BusContactFields *contact = ret;

        contact->fields.path = contact->path;
        return bus_read_path(m, contact->path, &contact->fields.n_path, error);
}

int bus_read_contact_fields(sd_bus_message *m, bool with_key, BusContactFields *ret, sd_bus_error *error) {
        ContactFields *fields = &ret->fields;
        /* In the order of ContactField. */
        const BusOption options[] = {
                        {"Type", "sy", &fields->type, read_type},
                        {"Name", "s", &fields->name},
                        {"Flags", "u", &fields->flags, read_flags},
                        {"Favourite", "b", &fields->favourite, read_favourite},
                        {"Path", "aay", ret, read_path},
                        {"Location", "(dd)", fields, read_location},
                        {"LastAdvertUSec", "t", &fields->last_advert, read_last_advert},
                        {"Key", "s", &ret->key, read_key},
        };
        const unsigned key_bit = CONTACT_FIELD_LAST_ADVERT << 1;
        int r;

        *fields = (ContactFields){};
        r = bus_read_options(m, options, ELEMENTSOF(options) - (with_key ? 0 : 1), error);
        if (r < 0)
                return r;
        ret->has_key = (unsigned) r & key_bit;
        fields->set = (unsigned) r & ~key_bit;
        return 0;
}
