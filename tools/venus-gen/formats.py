"""The sizes of formats' texels: vn_formats.h and .c."""
import declare
from cformat import comment


def header(registry):
    out = declare.head(registry, "VT_VENUS_VN_FORMATS_H", comment(
        "venus/vn_formats.h - how many bytes a format's texels take in memory, of the registry."),
        ['"venus/vulkan.h"', "", "<stdint.h>"])
    out.raw("""
struct vn_format {
    VkFormat format;
    uint8_t bytes;         /**< of a block; all planes together */
    uint8_t width, height; /**< of a block in texels: 1 unless compressed */
    uint8_t depth_bytes;   /**< of the depth aspect alone; 0: none */
    uint8_t stencil_bytes;
    VkFormat planes[3]; /**< what each plane is laid out as; VK_FORMAT_UNDEFINED: a single plane */
};
/** NULL: not a format of the registry. */
const struct vn_format *vn_format_of(VkFormat format);

#endif
""")
    return out.text()


def source(registry):
    out = declare.head(registry, None, comment("Sizes of formats' texels."),
                       ['"venus/vn_formats.h"', "", "<stddef.h>"])
    out.open("static const struct vn_format formats[] = {")
    values = registry.types["VkFormat"].values
    for name in sorted((f for f in registry.formats if f in values), key=values.get):
        size, extent, depth, stencil, planes = registry.formats[name]
        planes = [p for p in planes] + ["VK_FORMAT_UNDEFINED"] * (3 - len(planes))
        out.line(f"{{{name}, {size}, {extent[0]}, {extent[1]}, {depth}, {stencil}, {{{', '.join(planes)}}}}},")
    out.shut("};")
    out.raw("""

const struct vn_format *vn_format_of(VkFormat format)
{
    size_t low = 0;
    size_t high = sizeof(formats) / sizeof(formats[0]);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (formats[middle].format == format) {
            return &formats[middle];
        }
        if (formats[middle].format < format) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}
""")
    return out.text()


def read(root):
    """{format: (bytes, (width, height), depth bytes, stencil bytes, planes' formats)}"""
    found = {}
    for element in root.find("formats").findall("format"):
        bits = {c.get("name"): c.get("bits") for c in element.findall("component")}
        depth = {"16": 2, "24": 4, "32": 4}[bits["D"]] if "D" in bits else 0
        extent = [int(n) for n in element.get("blockExtent", "1,1,1").split(",")]
        found[element.get("name")] = (int(element.get("blockSize")), extent, depth, int("S" in bits),
                                      [p.get("compatible") for p in element.findall("plane")])
    return found
