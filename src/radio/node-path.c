/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "contact-internal.h"
#include "macros.h"
#include "node-internal.h"

/* Anonymous requests: answered only when they come direct (wire reference 6.9), so that a contact without a
 * path gets an empty one for as long as it takes. */

bool job_is_anonymous(const Job *job) {
        switch (job->query.operation) {
        case NODE_OPERATION_OWNER:
                return !job->query.in_full;
        case NODE_OPERATION_REGIONS:
        case NODE_OPERATION_BASIC:
                return true;
        default:
                return false;
        }
}

static AnonRequestType anon_type(NodeOperation operation) {
        switch (operation) {
        case NODE_OPERATION_REGIONS:
                return ANON_REGIONS;
        case NODE_OPERATION_OWNER:
                return ANON_OWNER;
        default:
                return ANON_BASIC;
        }
}

static void send_anon(Job *job, const Path *path) {
        Command command;
        int r = command_send_anon_req(&command, &job->query.key, anon_type(job->query.operation), path);

        job_call_or_fail(job, r, &command, job_sent);
}

static void path_was_lent(Job *job, const Frame *frame) {
        const Path neighbour = path_from_length(0, job->radio->info.level);

        send_anon(job, &neighbour);
}

/* Also who kills us in between finds the path as it was, at the next start. */
static int job_note_lent(Job *job, bool lent) {
        Identity *identity = job->radio->identity;
        const Contact *known = identity_get_contact(identity, &job->query.key);
        g_autoptr(Contact) contact = NULL;

        if (!known)
                return 0;

        contact = contact_copy(known);
        contact->path_lent = lent;
        return identity_put_contact(identity, contact);
}

static void got_record(Job *job, const Frame *frame) {
        g_autoptr(Contact) contact = NULL;
        g_autofree char *name = NULL;
        ContactRecord record;
        Command command;
        int r;

        if (frame->kind != FRAME_CONTACT) {
                job_fail(job, OUTCOME_FAILED, "the radio's answer makes no sense");
                return;
        }
        if (frame->contact.path.known) {
                send_anon(job, &frame->contact.path);
                return;
        }

        r = job_note_lent(job, true);
        if (r < 0) {
                job_fail(job, OUTCOME_FAILED, "cannot store that the contact has another path meanwhile");
                return;
        }

        contact = translate_contact(frame);
        translate_record(contact, &record);
        name = g_strndup((const char *) frame->contact.name.data, frame->contact.name.size);
        record.name = name;
        record.path_len = 0;
        r = command_add_update_contact(&command, &record);
        if (r >= 0)
                job->path_lent = true;
        job_call_or_fail(job, r, &command, path_was_lent);
}

void job_send_anonymous(Job *job) {
        Command command;
        int r = command_get_contact_by_key(&command, &job->query.key);

        job_call_or_fail(job, r, &command, got_record);
}

/* -- giving the path back ------------------------------------------------------------ */

/* At the next start. */
void job_restore_later(Job *job) {
        g_hash_table_add(job->radio->nodes->lent, g_memdup2(&job->query.key, sizeof(PublicKey)));
        job_free(job);
}

static void restored(Job *job, const Frame *frame) {
        job->path_lent = false;
        (void) job_note_lent(job, false);
        fresh_contact(job->radio->fresh, &job->query.key);
        job_free(job);
}

static void look_before_restoring(Job *job, const Frame *frame) {
        Command command;

        /* Gone, or it has another path by now, which is none of ours. */
        if (frame->kind != FRAME_CONTACT || !frame->contact.path.known || frame->contact.path.hops > 0) {
                restored(job, frame);
                return;
        }

        (void) command_reset_path(&command, &job->query.key);
        job->take_errors = true;
        if (job_call(job, &command, restored) < 0)
                job_restore_later(job);
}

void job_restore(Job *job) {
        Command command;

        job->state = JOB_RESTORING;
        (void) command_get_contact_by_key(&command, &job->query.key);
        job->take_errors = true;
        if (!job->radio->nodes->started || job_call(job, &command, look_before_restoring) < 0)
                job_restore_later(job);
}

void nodes_load(Nodes *nodes) {
        GHashTableIter iter;
        const Contact *contact;

        g_hash_table_iter_init(&iter, identity_contacts(nodes->radio->identity));
        while (g_hash_table_iter_next(&iter, NULL, (void **) &contact))
                if (contact->path_lent)
                        g_hash_table_add(nodes->lent, g_memdup2(&contact->key, sizeof(contact->key)));
}
