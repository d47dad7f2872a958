/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "contact-internal.h"
#include "macros.h"

ContactRequest *contact_request_new(const PublicKey *key) {
        ContactRequest *c = g_new0(ContactRequest, 1);

        c->key = *key;
        return c;
}

static void contact_request_free(ContactRequest *c) {
        contact_free(c->wanted);
        g_free(c->wire_name);
        g_free(c->name);
        g_free(c->path);
        g_free(c->packet);
        g_free(c);
}

void contact_request_done(Request *request, const Outcome *outcome) {
        ContactRequest *c = (ContactRequest *) request;
        Radio *radio = request->radio;
        Contact *contact = NULL;

        if (c->contact_done) {
                if (outcome->code == OUTCOME_OK)
                        contact = identity_get_contact(radio->identity, &c->key);
                c->contact_done(radio, outcome, contact, c->userdata);
        } else if (c->card_done)
                c->card_done(radio, outcome, (Slice){c->packet, c->packet_size}, c->name, c->userdata);
        else if (c->done)
                c->done(radio, outcome, c->userdata);
        contact_request_free(c);
}

void contact_request_finish(Request *request, const Frame *frame) {
        request_succeed(request);
}

/* -- what a person gave ----------------------------------------------------------- */

static OutcomeCode check_path(const ContactFields *fields, Outcome *ret) {
        uint8_t length;

        for (size_t i = 0; i < fields->n_path; i++)
                if (fields->path[i].size < 1 || fields->path[i].size > CONTACT_PATH_HASH_MAX ||
                    fields->path[i].size != fields->path[0].size)
                        return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                           "each hop of a path takes 1 to %d bytes, all hops the same",
                                           CONTACT_PATH_HASH_MAX);
        if (fields->n_path > 0 && path_encode_length(fields->n_path, fields->path[0].size, &length) < 0)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "a path takes at most %d hops and %d bytes; this one has %zu hops of %u "
                                   "bytes",
                                   CONTACT_PATH_HOPS_MAX, CONTACT_PATH_MAX, fields->n_path,
                                   fields->path[0].size);
        return OUTCOME_OK;
}

static OutcomeCode check_fields(const ContactFields *fields, unsigned allowed, Outcome *ret) {
        if (fields->set & ~allowed)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "type and path cannot be changed like this: SetPath and ResetPath do "
                                   "paths, and "
                                   "a node tells its type itself");
        if ((fields->set & CONTACT_FIELD_TYPE) && (fields->type < 1 || fields->type > CONTACT_TYPE_MAX))
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "the type is a number from 1 to %d",
                                   CONTACT_TYPE_MAX);
        if ((fields->set & CONTACT_FIELD_NAME) && !g_utf8_validate(fields->name, -1, NULL))
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "the name is not valid UTF-8");
        if ((fields->set & CONTACT_FIELD_NAME) && strlen(fields->name) > CONTACT_NAME_MAX)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "the name is %zu bytes too long: at most %d bytes of UTF-8 fit",
                                   strlen(fields->name) - CONTACT_NAME_MAX, CONTACT_NAME_MAX);
        if ((fields->set & CONTACT_FIELD_LOCATION) && (ABS((int64_t) fields->lat_e6) > CONTACT_LAT_E6_MAX ||
                                                       ABS((int64_t) fields->lon_e6) > CONTACT_LON_E6_MAX))
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "a latitude is from -90 to 90 degrees, a longitude from -180 to 180");
        return fields->set & CONTACT_FIELD_PATH ? check_path(fields, ret) : OUTCOME_OK;
}

OutcomeCode contact_request_take_fields(ContactRequest *c, const ContactFields *fields, unsigned allowed,
                                        Outcome *ret) {
        OutcomeCode code;

        code = check_fields(fields, allowed, ret);
        if (code != OUTCOME_OK)
                return code;

        c->fields = *fields;
        if (fields->set & CONTACT_FIELD_NAME)
                c->fields.name = c->name = g_strdup(fields->name);
        if (fields->set & CONTACT_FIELD_PATH)
                c->fields.path = c->path = g_memdup2(fields->path, fields->n_path * sizeof(PathHop));
        return OUTCOME_OK;
}

static void contact_set_path(Contact *contact, const PathHop *path, size_t n) {
        size_t size = n > 0 ? path[0].size : 1;

        memset(contact->path, 0, sizeof(contact->path));
        (void) path_encode_length(n, size, &contact->path_len);
        for (size_t i = 0; i < n; i++)
                memcpy(contact->path + i * size, path[i].bytes, size);

        contact->set_path_len = contact->path_len;
        memcpy(contact->set_path, contact->path, sizeof(contact->set_path));
        contact->path_displaced = false;
}

bool contact_request_apply(ContactRequest *c) {
        const ContactFields *f = &c->fields;
        Contact *contact = c->wanted;
        uint8_t level = c->request.radio->info.level;

        if ((f->set & CONTACT_FIELD_PATH) && f->n_path > 0 && f->path[0].size > 1 && level > 0 &&
            level < PATH_ENCODING_LEVEL) {
                request_fail(&c->request, OUTCOME_NOT_SUPPORTED,
                             "the radio's firmware (protocol level %u) knows hops of 1 byte only; 2 and 3 "
                             "take "
                             "level %d, MeshCore 1.14",
                             level, PATH_ENCODING_LEVEL);
                return false;
        }

        if (f->set & CONTACT_FIELD_TYPE)
                contact->type = f->type;
        if (f->set & CONTACT_FIELD_NAME) {
                g_free(contact->name);
                contact->name = g_strdup(f->name);
                g_clear_pointer(&c->wire_name, g_free);
        }
        if (f->set & CONTACT_FIELD_FLAGS)
                contact->flags = f->flags;
        if (f->set & CONTACT_FIELD_FAVOURITE)
                contact->flags = (uint8_t) ((contact->flags & ~CONTACT_FLAG_FAVOURITE) |
                                            (f->favourite ? CONTACT_FLAG_FAVOURITE : 0));
        if (f->set & CONTACT_FIELD_PATH)
                contact_set_path(contact, f->path, f->n_path);
        if (f->set & CONTACT_FIELD_LOCATION) {
                contact->lat_e6 = f->lat_e6;
                contact->lon_e6 = f->lon_e6;
        }
        if (f->set & CONTACT_FIELD_LAST_ADVERT)
                contact->last_advert = f->last_advert;
        return true;
}
