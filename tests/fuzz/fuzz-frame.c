/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The first byte is the protocol level, the second the type of the node. */

#include <errno.h>

#include "frame.h"
#include "fuzz.h"

static void touch_message(const Frame *frame) {
        fuzz_touch(frame->message.text.data, frame->message.text.size);
        fuzz_touch(frame->message.data.data, frame->message.data.size);
}

static void touch_vars(const Frame *frame) {
        Slice list = frame->custom_vars.list, name, value;

        while (custom_vars_next(&list, &name, &value)) {
                fuzz_touch(name.data, name.size);
                fuzz_touch(value.data, value.size);
        }
}

static void touch_trace(const Frame *frame) {
        for (size_t i = 0; i < frame->trace.n_hops; i++) {
                int8_t snr;
                Slice hash;

                trace_hop(frame, i, &hash, &snr);
                fuzz_touch(hash.data, hash.size);
        }
}

static void touch_path(const Path *path) {
        FUZZ_ASSERT(path->hashes.size == path_size(path) || path->hashes.size == 0);
        FUZZ_ASSERT(path_size(path) <= PATH_SIZE_MAX);
        fuzz_touch(path->hashes.data, path->hashes.size);
}

static void touch_frequencies(const Frame *frame) {
        uint32_t low, high;

        for (size_t i = 0; i < frame->allowed_frequencies.n_ranges; i++)
                frequency_range_get(frame, i, &low, &high);
}

static void touch(const Frame *frame) {
        switch (frame->kind) {
        case FRAME_CONTACT:
        case FRAME_NEW_ADVERT:
                touch_path(&frame->contact.path);
                fuzz_touch(frame->contact.name.data, frame->contact.name.size);
                break;
        case FRAME_SELF_INFO:
                fuzz_touch(frame->self_info.name.data, frame->self_info.name.size);
                break;
        case FRAME_CONTACT_MESSAGE:
        case FRAME_CHANNEL_MESSAGE:
        case FRAME_CHANNEL_DATA:
                touch_message(frame);
                break;
        case FRAME_DEVICE_INFO:
                fuzz_touch(frame->device_info.model.data, frame->device_info.model.size);
                fuzz_touch(frame->device_info.version.data, frame->device_info.version.size);
                break;
        case FRAME_PRIVATE_KEY:
                fuzz_touch(frame->private_key.key, PRIVATE_KEY_SIZE);
                break;
        case FRAME_SIGNATURE:
                fuzz_touch(frame->signature.bytes, SIGNATURE_SIZE);
                break;
        case FRAME_CUSTOM_VARS:
                touch_vars(frame);
                break;
        case FRAME_ADVERT_PATH:
                touch_path(&frame->advert_path.path);
                break;
        case FRAME_ALLOWED_FREQUENCIES:
                touch_frequencies(frame);
                break;
        case FRAME_RX_LOG:
                fuzz_touch(frame->rx_log.data.data, frame->rx_log.data.size);
                if (frame->rx_log.has_packet)
                        touch_path(&frame->rx_log.packet.path);
                break;
        case FRAME_TRACE:
                touch_trace(frame);
                break;
        case FRAME_PATH_DISCOVERY:
                touch_path(&frame->path_discovery.out);
                touch_path(&frame->path_discovery.in);
                break;
        case FRAME_CONTROL_DATA:
                fuzz_touch(frame->control.payload.data, frame->control.payload.size);
                if (frame->control.is_discovery)
                        fuzz_touch(frame->control.key.data, frame->control.key.size);
                break;
        default:
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FrameContext hints;
        Frame frame;
        int r;

        if (size < 2)
                return 0;

        hints = (FrameContext){.level = data[0], .node_type = (NodeType) (data[1] % _NODE_TYPE_MAX)};
        r = frame_decode(data + 2, size - 2, &hints, &frame);
        FUZZ_ASSERT(r == 0 || r == -EBADMSG);
        FUZZ_ASSERT(frame.kind >= 0 && frame.kind < _FRAME_KIND_MAX);
        if (r == 0)
                touch(&frame);
        return 0;
}
