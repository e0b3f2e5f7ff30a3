/* cli/trace_registers.h - which registers each instruction of a trace changed, rebuilt
 * (vitrine/trace.h), for those who show it.
 */
#ifndef VT_CLI_TRACE_REGISTERS_H
#define VT_CLI_TRACE_REGISTERS_H

#include "base/json_writer.h"
#include "vitrine/trace.h"

struct vt_cli_registers;
/** VT_E_UNSUPPORTED for what is not x86_64. */
int vt_cli_registers_create(const struct vt_trace_info *info, struct vt_cli_registers **registers,
                            struct vt_error *err);
void vt_cli_registers_destroy(struct vt_cli_registers *registers);
/** Takes each event of the source in order, before it is shown. */
int vt_cli_registers_see(struct vt_cli_registers *registers, const struct vt_trace_event *event,
                         struct vt_error *err);
/** " rax=0x1 rbx=?": those that instruction i of the event changed, or found out. */
void vt_cli_registers_print(const struct vt_cli_registers *registers, unsigned instruction);
/** {"rax": "0x1", "rbx": null} */
void vt_cli_registers_json(const struct vt_cli_registers *registers, unsigned instruction,
                           struct vt_json_writer *w);

#endif
