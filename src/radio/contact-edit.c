/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "contact-internal.h"
#include "macros.h"

static const Contact *find_known(ContactRequest *c) {
        return identity_get_contact(c->request.radio->identity, &c->key);
}

/* Returns NULL when that ended the request. */
static const Contact *require_known(ContactRequest *c) {
        const Contact *known = find_known(c);

        if (!known)
                request_fail(&c->request, OUTCOME_NOT_FOUND, "no contact has the key %s",
                             key_to_text(&c->key).text);
        return known;
}

/* wanted into the book alone. */
static void keep_in_book(ContactRequest *c) {
        int r;

        r = identity_put_contact(c->request.radio->identity, c->wanted);
        if (r < 0)
                request_fail_errno(&c->request, r);
        else
                request_succeed(&c->request);
}

/* In the book alone where the radio does not have it, else after the radio was told. */
static void change_known(ContactRequest *c, void (*in_book)(ContactRequest *c),
                         int (*encode)(Command *ret, const PublicKey *key), request_step_t told) {
        const Contact *known = require_known(c);
        Command command;

        if (!known)
                return;
        if (!known->on_radio)
                in_book(c);
        else if (request_require_ready(&c->request)) {
                (void) encode(&command, &c->key);
                request_call_tolerant(&c->request, &command, told);
        }
}

/* One of both. */
static ContactRequest *request_new(const PublicKey *key, radio_contact_done_t contact_done, radio_done_t done,
                                   void *userdata) {
        ContactRequest *c = contact_request_new(key);

        c->contact_done = contact_done;
        c->done = done;
        c->userdata = userdata;
        return c;
}

static void submit(ContactRequest *c, Radio *radio, const RequestKind *kind, OutcomeCode code,
                   Outcome *outcome) {
        if (code == OUTCOME_OK)
                request_submit(radio, &c->request, kind);
        else
                request_submit_failed(radio, &c->request, kind, outcome);
}

/* -- add ------------------------------------------------------------------------------- */

static void add_start(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        const unsigned needed = CONTACT_FIELD_TYPE | CONTACT_FIELD_NAME;
        Radio *radio = request->radio;
        const Contact *base = find_known(c);

        if (key_equal(&c->key, identity_key(radio->identity))) {
                request_fail(request, OUTCOME_INVALID_ARGUMENTS, "this is the radio's own key");
                return;
        }
        if (base && base->on_radio) {
                request_fail(request, OUTCOME_INVALID_ARGUMENTS,
                             "the radio has this contact already; update it instead");
                return;
        }

        if (!base)
                base = pending_get(radio->pending, &c->key);
        if (!base && (c->fields.set & needed) != needed) {
                request_fail(request, OUTCOME_INVALID_ARGUMENTS,
                             "nobody heard of this key yet, so its type and name are needed");
                return;
        }

        c->wanted = base ? contact_copy(base) : contact_new(&c->key);
        if (contact_request_apply(c))
                contact_request_write(c, contact_request_finish);
}

static const RequestKind add_kind = {
                .what = "cannot add the contact",
                .start = add_start,
                .done = contact_request_done,
};

void radio_add_contact(Radio *radio, const PublicKey *key, const ContactFields *fields,
                       radio_contact_done_t done, void *userdata) {
        ContactRequest *c = request_new(key, done, NULL, userdata);
        g_auto(Outcome) outcome = {};
        OutcomeCode code;

        if (key_is_zero(key))
                code = outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS, "a key of zeroes is nobody's");
        else
                code = contact_request_take_fields(c, fields, UINT_MAX, &outcome);
        submit(c, radio, &add_kind, code, &outcome);
}

static void swap_in_start(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        const Contact *known = require_known(c);

        if (!known)
                return;
        if (known->on_radio) {
                request_succeed(request);
                return;
        }
        if (known->removed_elsewhere) {
                request_fail(request, OUTCOME_REJECTED, REMOVED_ELSEWHERE);
                return;
        }

        c->wanted = contact_copy(known);
        if (c->wanted->set_path_len != CONTACT_PATH_UNKNOWN) {
                c->wanted->path_len = c->wanted->set_path_len;
                memcpy(c->wanted->path, c->wanted->set_path, sizeof(c->wanted->path));
                c->wanted->path_displaced = false;
        }
        contact_request_write(c, contact_request_finish);
}

static const RequestKind swap_in_kind = {
                .what = "cannot write the contact to the radio",
                .start = swap_in_start,
                .done = contact_request_done,
                .internal = true,
};

void contact_swap_in(Radio *radio, const PublicKey *key, radio_done_t done, void *userdata) {
        ContactRequest *c = request_new(key, NULL, done, userdata);

        request_submit(radio, &c->request, &swap_in_kind);
}

/* -- update ------------------------------------------------------------------------------ */

static void apply_and_write(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;

        if (contact_request_apply(c))
                contact_request_write(c, contact_request_finish);
}

static void update_start(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        const Contact *known = require_known(c);

        if (!known)
                return;
        if (!known->on_radio) {
                c->wanted = contact_copy(known);
                if (contact_request_apply(c))
                        keep_in_book(c);
        } else if (request_require_ready(request))
                contact_request_fetch(c, apply_and_write);
}

static const RequestKind update_kind = {
                .what = "cannot update the contact",
                .start = update_start,
                .done = contact_request_done,
                .offline = true,
};

static const RequestKind set_path_kind = {
                .what = "cannot set the path",
                .start = update_start,
                .done = contact_request_done,
                .offline = true,
};

void radio_update_contact(Radio *radio, const PublicKey *key, const ContactFields *fields,
                          radio_contact_done_t done, void *userdata) {
        ContactRequest *c = request_new(key, done, NULL, userdata);
        g_auto(Outcome) outcome = {};
        OutcomeCode code;

        code = contact_request_take_fields(c, fields,
                                           CONTACT_FIELD_NAME | CONTACT_FIELD_FLAGS |
                                                           CONTACT_FIELD_FAVOURITE | CONTACT_FIELD_LOCATION,
                                           &outcome);
        submit(c, radio, &update_kind, code, &outcome);
}

void radio_set_contact_path(Radio *radio, const PublicKey *key, const PathHop *path, size_t n_path,
                            radio_contact_done_t done, void *userdata) {
        const ContactFields fields = {.set = CONTACT_FIELD_PATH, .path = path, .n_path = n_path};
        ContactRequest *c = request_new(key, done, NULL, userdata);
        g_auto(Outcome) outcome = {};
        OutcomeCode code;

        code = contact_request_take_fields(c, &fields, CONTACT_FIELD_PATH, &outcome);
        submit(c, radio, &set_path_kind, code, &outcome);
}

static void restore_write(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        Contact *contact = c->wanted;

        if (contact->set_path_len == CONTACT_PATH_UNKNOWN) {
                /* Forgotten in the meantime. */
                contact->path_displaced = false;
                keep_in_book(c);
                return;
        }

        contact->path_len = contact->set_path_len;
        memcpy(contact->path, contact->set_path, sizeof(contact->path));
        contact->path_displaced = false;
        contact_request_write(c, contact_request_finish);
}

static void restore_start(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        const Contact *known = require_known(c);

        if (!known)
                return;
        if (known->on_radio && known->path_displaced)
                contact_request_fetch(c, restore_write);
        else
                request_succeed(request);
}

static const RequestKind restore_kind = {
                .what = "cannot restore the path",
                .start = restore_start,
                .done = contact_request_done,
                .internal = true,
};

void contact_restore_path(Radio *radio, const PublicKey *key, radio_done_t done, void *userdata) {
        ContactRequest *c = request_new(key, NULL, done, userdata);

        request_submit(radio, &c->request, &restore_kind);
}

/* -- reset path ----------------------------------------------------------------------------- */

static void forget_path(ContactRequest *c) {
        const Contact *known = require_known(c);

        if (!known)
                return;

        c->wanted = contact_copy(known);
        c->wanted->path_len = c->wanted->set_path_len = CONTACT_PATH_UNKNOWN;
        memset(c->wanted->path, 0, sizeof(c->wanted->path));
        memset(c->wanted->set_path, 0, sizeof(c->wanted->set_path));
        c->wanted->path_displaced = false;
        keep_in_book(c);
}

static void reset_done(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;

        if (frame->code != RESP_ERR)
                forget_path(c);
        else if (frame->error.code != ERR_NOT_FOUND)
                request_fail_firmware(request, frame->error.code);
        else
                contact_request_removed(c);
}

static void reset_start(Request *request, const Frame *frame) {
        change_known((ContactRequest *) request, forget_path, command_reset_path, reset_done);
}

static const RequestKind reset_kind = {
                .what = "cannot reset the path",
                .start = reset_start,
                .done = contact_request_done,
                .offline = true,
};

void radio_reset_contact_path(Radio *radio, const PublicKey *key, radio_contact_done_t done, void *userdata) {
        ContactRequest *c = request_new(key, done, NULL, userdata);

        request_submit(radio, &c->request, &reset_kind);
}

/* -- remove ------------------------------------------------------------------------------- */

static void remove_from_book(ContactRequest *c) {
        Identity *identity = c->request.radio->identity;
        const Contact *known = find_known(c);
        int r = 0;

        if (!c->keep)
                r = identity_remove_contact(identity, &c->key);
        else if (known) {
                c->wanted = contact_copy(known);
                c->wanted->on_radio = c->wanted->removed_elsewhere = false;
                r = identity_put_contact(identity, c->wanted);
        }

        if (r < 0)
                request_fail_errno(&c->request, r);
        else
                request_succeed(&c->request);
}

static void removed(Request *request, const Frame *frame) {
        if (frame->code == RESP_ERR && frame->error.code != ERR_NOT_FOUND)
                request_fail_firmware(request, frame->error.code);
        else
                remove_from_book((ContactRequest *) request);
}

static void remove_start(Request *request, const Frame *frame) {
        change_known((ContactRequest *) request, remove_from_book, command_remove_contact, removed);
}

static const RequestKind remove_kind = {
                .what = "cannot remove the contact",
                .start = remove_start,
                .done = contact_request_done,
                .offline = true,
};

void radio_remove_contact(Radio *radio, const PublicKey *key, bool keep, radio_done_t done, void *userdata) {
        ContactRequest *c = request_new(key, NULL, done, userdata);

        c->keep = keep;
        request_submit(radio, &c->request, &remove_kind);
}
