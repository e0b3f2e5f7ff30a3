#include "gpu/venus_counts.h"

void vt_gpu_counts_json(const struct vt_venus_statistics *counts, struct vt_json_writer *w)
{
    vt_json_kv_u64(w, "commands", counts->commands);
    vt_json_kv_u64(w, "unknown", counts->unknown);
    vt_json_kv_u64(w, "failed", counts->failed);
    vt_json_kv_u64(w, "stream_bytes", counts->bytes);
    vt_json_kv_u64(w, "replies", counts->replies);
    vt_json_kv_u64(w, "reply_bytes", counts->reply_bytes);
    vt_json_kv_u64(w, "objects", counts->objects);
    vt_json_kv_u64(w, "objects_created", counts->objects_created);
    vt_json_kv_u64(w, "objects_destroyed", counts->objects_destroyed);
    vt_json_kv_u64(w, "memory_bytes", counts->memory_bytes);
    vt_json_kv_u64(w, "rings", counts->rings);
    vt_json_kv_u64(w, "notifies", counts->notifies);
    vt_json_kv_u64(w, "waits", counts->waits);
    vt_json_kv_f64(w, "busy_s", (double)counts->busy_ns / 1e9, 6);
}

void vt_gpu_command_json(const struct vt_venus_command_count *count, struct vt_json_writer *w)
{
    vt_json_object(w);
    vt_json_kv_string(w, "name", count->name);
    vt_json_kv_u64(w, "id", count->id);
    vt_json_kv_u64(w, "count", count->count);
    vt_json_kv_u64(w, "failed", count->failed);
    vt_json_kv_f64(w, "seconds", (double)count->ns / 1e9, 6);
    vt_json_object_end(w);
}
