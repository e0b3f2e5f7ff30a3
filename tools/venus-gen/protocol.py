"""Facts of the Venus protocol that the Vulkan registry does not hold: which extensions it carries,
Mesa's own commands and structures, unions' tags, and what goes without a value on the wire.

Sources: venus-protocol (vn_protocol.py and its XML files) and Mesa's src/virtio/venus-protocol."""
import pathlib

WIRE_FORMAT = 1

# What a guest may be offered beside core Vulkan, as far as the registry knows it. Mesa 26's list.
EXTENSIONS = """
KHR_16bit_storage KHR_bind_memory2 KHR_dedicated_allocation KHR_descriptor_update_template
KHR_device_group KHR_device_group_creation KHR_external_fence KHR_external_fence_capabilities
KHR_external_memory KHR_external_memory_capabilities KHR_external_semaphore
KHR_external_semaphore_capabilities KHR_get_memory_requirements2
KHR_get_physical_device_properties2 KHR_maintenance1 KHR_maintenance2 KHR_maintenance3 KHR_multiview
KHR_relaxed_block_layout KHR_sampler_ycbcr_conversion KHR_shader_draw_parameters
KHR_storage_buffer_storage_class KHR_variable_pointers

KHR_8bit_storage KHR_buffer_device_address KHR_create_renderpass2 KHR_depth_stencil_resolve
KHR_draw_indirect_count KHR_driver_properties KHR_image_format_list KHR_imageless_framebuffer
KHR_sampler_mirror_clamp_to_edge KHR_separate_depth_stencil_layouts KHR_shader_atomic_int64
KHR_shader_float16_int8 KHR_shader_float_controls KHR_shader_subgroup_extended_types KHR_spirv_1_4
KHR_timeline_semaphore KHR_uniform_buffer_standard_layout KHR_vulkan_memory_model
EXT_descriptor_indexing EXT_host_query_reset EXT_sampler_filter_minmax EXT_scalar_block_layout
EXT_separate_stencil_usage EXT_shader_viewport_index_layer

KHR_copy_commands2 KHR_dynamic_rendering KHR_format_feature_flags2 KHR_maintenance4
KHR_shader_integer_dot_product KHR_shader_non_semantic_info KHR_shader_terminate_invocation
KHR_synchronization2 KHR_zero_initialize_workgroup_memory EXT_4444_formats
EXT_extended_dynamic_state EXT_extended_dynamic_state2 EXT_image_robustness EXT_inline_uniform_block
EXT_pipeline_creation_cache_control EXT_pipeline_creation_feedback EXT_private_data
EXT_shader_demote_to_helper_invocation EXT_subgroup_size_control EXT_texel_buffer_alignment
EXT_texture_compression_astc_hdr EXT_tooling_info EXT_ycbcr_2plane_444_formats

KHR_dynamic_rendering_local_read KHR_global_priority KHR_index_type_uint8 KHR_line_rasterization
KHR_load_store_op_none KHR_maintenance5 KHR_maintenance6 KHR_map_memory2 KHR_push_descriptor
KHR_shader_expect_assume KHR_shader_float_controls2 KHR_shader_subgroup_rotate
KHR_vertex_attribute_divisor EXT_host_image_copy EXT_pipeline_protected_access
EXT_pipeline_robustness

KHR_acceleration_structure KHR_calibrated_timestamps KHR_compute_shader_derivatives
KHR_cooperative_matrix KHR_copy_memory_indirect KHR_deferred_host_operations
KHR_depth_clamp_zero_one KHR_external_fence_fd KHR_external_memory_fd KHR_external_semaphore_fd
KHR_fragment_shader_barycentric KHR_fragment_shading_rate KHR_maintenance7 KHR_maintenance8
KHR_maintenance9 KHR_maintenance10 KHR_maintenance11 KHR_pipeline_library KHR_ray_query
KHR_ray_tracing_maintenance1 KHR_ray_tracing_pipeline KHR_ray_tracing_position_fetch KHR_robustness2
KHR_shader_bfloat16 KHR_shader_clock KHR_shader_constant_data KHR_shader_fma
KHR_shader_maximal_reconvergence KHR_shader_quad_control KHR_shader_relaxed_extended_instruction
KHR_shader_subgroup_uniform_control_flow KHR_shader_untyped_pointers KHR_unified_image_layouts
KHR_workgroup_memory_explicit_layout

EXT_attachment_feedback_loop_dynamic_state EXT_attachment_feedback_loop_layout
EXT_blend_operation_advanced EXT_border_color_swizzle EXT_buffer_device_address
EXT_calibrated_timestamps EXT_color_write_enable EXT_conditional_rendering
EXT_conservative_rasterization EXT_custom_border_color EXT_depth_bias_control
EXT_depth_clamp_control EXT_depth_clamp_zero_one EXT_depth_clip_control EXT_depth_clip_enable
EXT_depth_range_unrestricted EXT_descriptor_heap EXT_dynamic_rendering_unused_attachments
EXT_extended_dynamic_state3 EXT_external_memory_acquire_unmodified EXT_external_memory_dma_buf
EXT_filter_cubic EXT_fragment_shader_interlock EXT_global_priority EXT_global_priority_query
EXT_graphics_pipeline_library EXT_image_2d_view_of_3d EXT_image_drm_format_modifier
EXT_image_sliced_view_of_3d EXT_image_view_min_lod EXT_index_type_uint8 EXT_legacy_dithering
EXT_legacy_vertex_attributes EXT_line_rasterization EXT_load_store_op_none EXT_memory_budget
EXT_mesh_shader EXT_multi_draw EXT_multisampled_render_to_single_sampled EXT_mutable_descriptor_type
EXT_nested_command_buffer EXT_non_seamless_cube_map EXT_pci_bus_info
EXT_pipeline_library_group_handles EXT_post_depth_coverage EXT_primitive_restart_index
EXT_primitive_topology_list_restart EXT_primitives_generated_query EXT_provoking_vertex
EXT_queue_family_foreign EXT_rasterization_order_attachment_access EXT_rgba10x6_formats
EXT_robustness2 EXT_sample_locations EXT_shader_atomic_float EXT_shader_atomic_float2
EXT_shader_float8 EXT_shader_image_atomic_int64 EXT_shader_replicated_composites
EXT_shader_split_barrier EXT_shader_stencil_export EXT_shader_subgroup_ballot
EXT_shader_subgroup_vote EXT_shader_tile_image EXT_shader_uniform_buffer_unsized_array
EXT_transform_feedback EXT_vertex_attribute_divisor EXT_vertex_attribute_robustness
EXT_vertex_input_dynamic_state EXT_ycbcr_image_arrays EXT_zero_initialize_device_memory

ARM_rasterization_order_attachment_access GOOGLE_decorate_string GOOGLE_hlsl_functionality1
GOOGLE_user_type IMG_filter_cubic NV_compute_shader_derivatives VALVE_mutable_descriptor_type
""".split()

# Not in the registry: name, number, version.
OWN_EXTENSIONS = [("VK_EXT_command_serialization", 384, 1), ("VK_MESA_venus_protocol", 385, 3)]

# What the host itself calls, beyond what guests may: only in the tables.
HOST_EXTENSIONS = ["VK_EXT_external_memory_host", "VK_EXT_debug_utils"]

# A driver would fill these with core properties; Mesa leaves them out.
LEFT_OUT_TYPES = {
    "VkPhysicalDeviceLayeredApiPropertiesListKHR", "VkPhysicalDeviceLayeredApiPropertiesKHR",
    "VkPhysicalDeviceLayeredApiKHR", "VkPhysicalDeviceLayeredApiVulkanPropertiesKHR",
}

# Commands whose arguments are addresses of the guest's process.
LEFT_OUT_COMMANDS = {
    "vkBuildAccelerationStructuresKHR", "vkCopyAccelerationStructureToMemoryKHR",
    "vkCopyMemoryToAccelerationStructureKHR", "vkWriteSamplerDescriptorsEXT",
    "vkWriteResourceDescriptorsEXT",
}

# Unions whose member nothing else tells: a tag goes before them, and this one is what Mesa writes.
UNION_TAGS = {
    "VkClearColorValue": 2,
    "VkClearValue": 0,
    "VkDeviceOrHostAddressKHR": 0,
    "VkDeviceOrHostAddressConstKHR": 0,
    "VkPipelineExecutableStatisticValueKHR": 2,
}

# Arrays that count only under a condition, whatever their pointer is.
IGNORABLE = {
    ("VkImageCreateInfo", "pQueueFamilyIndices"): "sharingMode == VK_SHARING_MODE_CONCURRENT",
    ("VkBufferCreateInfo", "pQueueFamilyIndices"): "sharingMode == VK_SHARING_MODE_CONCURRENT",
    ("VkPhysicalDeviceImageDrmFormatModifierInfoEXT", "pQueueFamilyIndices"):
        "sharingMode == VK_SHARING_MODE_CONCURRENT",
    ("VkFramebufferCreateInfo", "pAttachments"):
        "!(flags & VK_FRAMEBUFFER_CREATE_IMAGELESS_BIT)",
}

# What drivers read without looking, though the registry leaves checking it to other words.
REQUIRED = {
    ("vkCmdClearColorImage", "pColor"), ("vkCmdDrawMultiEXT", "pVertexInfo"),
    ("vkCmdDrawMultiIndexedEXT", "pIndexInfo"), ("VkRenderPassBeginInfo", "pClearValues"),
}

# Structures whose members only together make sense, and what looks at that (wire.h).
CHECKS = {"VkWriteDescriptorSet": "vt_venus_check_write"}

# Counts that the registry does not spell out.
COUNTS = {
    "ppBuildRangeInfos": "pInfos[i].geometryCount",
    "ppMaxPrimitiveCounts": "pInfos[i].geometryCount",
}

# Mesa's structures: name, sType's number in the range of extension 385 (None: no sType), what they
# extend, returned only, members as in C ("count[...]" gives a pointer's length).
MESA_STRUCTURES = """
struct VkCommandStreamDescriptionMESA: uint32_t resourceId; size_t offset; size_t size
struct VkCommandStreamDependencyMESA: uint32_t srcCommandStream; uint32_t dstCommandStream
struct VkRingCreateInfoMESA 0: VkRingCreateFlagsMESA flags; uint32_t resourceId; size_t offset; size_t size; uint64_t idleTimeout; size_t headOffset; size_t tailOffset; size_t statusOffset; size_t bufferOffset; size_t bufferSize; size_t extraOffset; size_t extraSize
struct VkMemoryResourcePropertiesMESA 1 out: uint32_t memoryTypeBits
struct VkImportMemoryResourceInfoMESA 2 extends VkMemoryAllocateInfo: uint32_t resourceId
struct VkMemoryResourceAllocationSizePropertiesMESA 3 out extends VkMemoryResourcePropertiesMESA: uint64_t allocationSize
struct VkImportSemaphoreResourceInfoMESA 4: VkSemaphore semaphore; uint32_t resourceId
struct VkDeviceQueueTimelineInfoMESA 5 extends VkDeviceQueueInfo2: uint32_t ringIdx
struct VkRingMonitorInfoMESA 6 extends VkRingCreateInfoMESA: uint32_t maxReportingPeriodMicroseconds
struct VkRingPriorityInfoMESA 7 extends VkRingCreateInfoMESA: int32_t priority
struct VkCopyImageToMemoryInfoMESA 8: VkHostImageCopyFlags flags; VkImage srcImage; VkImageLayout srcImageLayout; uint32_t memoryRowLength; uint32_t memoryImageHeight; VkImageSubresourceLayers imageSubresource; VkOffset3D imageOffset; VkExtent3D imageExtent
struct VkMemoryToImageCopyMESA 9: size_t dataSize; const void* pData (dataSize); uint32_t memoryRowLength; uint32_t memoryImageHeight; VkImageSubresourceLayers imageSubresource; VkOffset3D imageOffset; VkExtent3D imageExtent
struct VkCopyMemoryToImageInfoMESA 10: VkHostImageCopyFlags flags; VkImage dstImage; VkImageLayout dstImageLayout; uint32_t regionCount; const VkMemoryToImageCopyMESA* pRegions (regionCount)
""".strip().splitlines()

MESA_STRUCTURE_BASE = 1000384000

MESA_COMMANDS = """
void vkSetReplyCommandStreamMESA: const VkCommandStreamDescriptionMESA* pStream
void vkSeekReplyCommandStreamMESA: size_t position
void vkExecuteCommandStreamsMESA: uint32_t streamCount; const VkCommandStreamDescriptionMESA* pStreams (streamCount); const size_t* pReplyPositions (streamCount) optional; uint32_t dependencyCount; const VkCommandStreamDependencyMESA* pDependencies (dependencyCount); VkCommandStreamExecutionFlagsMESA flags
void vkCreateRingMESA: uint64_t ring; const VkRingCreateInfoMESA* pCreateInfo
void vkDestroyRingMESA: uint64_t ring
void vkNotifyRingMESA: uint64_t ring; uint32_t seqno; VkRingNotifyFlagsMESA flags
void vkWriteRingExtraMESA: uint64_t ring; size_t offset; uint32_t value
VkResult vkGetMemoryResourcePropertiesMESA: VkDevice device; uint32_t resourceId; VkMemoryResourcePropertiesMESA* pMemoryResourceProperties
void vkResetFenceResourceMESA: VkDevice device; VkFence fence
void vkWaitSemaphoreResourceMESA: VkDevice device; VkSemaphore semaphore
void vkImportSemaphoreResourceMESA: VkDevice device; const VkImportSemaphoreResourceInfoMESA* pImportSemaphoreResourceInfo
void vkSubmitVirtqueueSeqnoMESA: uint64_t ring; uint64_t seqno
void vkWaitVirtqueueSeqnoMESA: uint64_t seqno
void vkWaitRingSeqnoMESA: uint64_t ring; uint64_t seqno
VkResult vkCopyImageToMemoryMESA: VkDevice device; const VkCopyImageToMemoryInfoMESA* pCopyImageToMemoryInfo; size_t dataSize; void* pData (dataSize)
VkResult vkCopyMemoryToImageMESA: VkDevice device; const VkCopyMemoryToImageInfoMESA* pCopyMemoryToImageInfo
""".strip().splitlines()

# Plain C types of Mesa's structures and commands.
MESA_FLAGS = ["VkCommandFlagsEXT", "VkCommandStreamExecutionFlagsMESA", "VkRingCreateFlagsMESA",
              "VkRingNotifyFlagsMESA", "VkRingStatusFlagsMESA"]
MESA_ENUMS = {
    "VkCommandFlagBitsEXT": {"VK_COMMAND_GENERATE_REPLY_BIT_EXT": 1},
    "VkRingStatusFlagBitsMESA": {"VK_RING_STATUS_NONE_MESA": 0, "VK_RING_STATUS_IDLE_BIT_MESA": 1,
                                 "VK_RING_STATUS_FATAL_BIT_MESA": 2,
                                 "VK_RING_STATUS_ALIVE_BIT_MESA": 4},
}


# What no generated call can carry out: it needs what the host keeps beside its driver, or would take
# something of the guest's for something of the host's. Refused unless handled.list has it.
BY_HAND_ONLY = {
    "vkDestroyInstance", "vkDestroyDevice", "vkAllocateMemory", "vkFreeMemory",
    "vkFlushMappedMemoryRanges", "vkInvalidateMappedMemoryRanges", "vkUnmapMemory", "vkUnmapMemory2",
    "vkSetPrivateData", "vkGetPrivateData", "vkGetInstanceProcAddr", "vkGetDeviceProcAddr",
}


def numbers():
    """{command: its number}, of our own table."""
    table = {}
    for line in (pathlib.Path(__file__).parent / "commands.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            number, name = line.split()
            table[name] = int(number)
    return table
