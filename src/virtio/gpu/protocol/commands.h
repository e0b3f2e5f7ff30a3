/* virtio/gpu/protocol/commands.h - every command's header. */
#ifndef VT_VIRTIO_GPU_COMMANDS_H
#define VT_VIRTIO_GPU_COMMANDS_H

#include "virtio/gpu/protocol/ctx_attach_resource.h"
#include "virtio/gpu/protocol/ctx_create.h"
#include "virtio/gpu/protocol/ctx_destroy.h"
#include "virtio/gpu/protocol/ctx_detach_resource.h"
#include "virtio/gpu/protocol/formats.h"
#include "virtio/gpu/protocol/get_capset.h"
#include "virtio/gpu/protocol/get_capset_info.h"
#include "virtio/gpu/protocol/get_display_info.h"
#include "virtio/gpu/protocol/get_edid.h"
#include "virtio/gpu/protocol/memory_entry.h"
#include "virtio/gpu/protocol/move_cursor.h"
#include "virtio/gpu/protocol/resource_assign_uuid.h"
#include "virtio/gpu/protocol/resource_attach_backing.h"
#include "virtio/gpu/protocol/resource_create_2d.h"
#include "virtio/gpu/protocol/resource_create_3d.h"
#include "virtio/gpu/protocol/resource_create_blob.h"
#include "virtio/gpu/protocol/resource_detach_backing.h"
#include "virtio/gpu/protocol/resource_flush.h"
#include "virtio/gpu/protocol/resource_map_blob.h"
#include "virtio/gpu/protocol/resource_unmap_blob.h"
#include "virtio/gpu/protocol/resource_unref.h"
#include "virtio/gpu/protocol/set_scanout.h"
#include "virtio/gpu/protocol/set_scanout_blob.h"
#include "virtio/gpu/protocol/submit_3d.h"
#include "virtio/gpu/protocol/transfer_from_host_3d.h"
#include "virtio/gpu/protocol/transfer_to_host_2d.h"
#include "virtio/gpu/protocol/transfer_to_host_3d.h"
#include "virtio/gpu/protocol/update_cursor.h"

#endif
