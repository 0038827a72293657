// SPDX-License-Identifier: Apache-2.0
extern "C" {
#include <jq.h>
#include <jv.h>
}

#include "cli/output.h"

namespace penstock::cli {
namespace {

void keep_message(void* kept, jv message) {
    jv text = jv_get_kind(message) == JV_KIND_STRING ? jv_copy(message)
                                                     : jv_dump_string(jv_copy(message), 0);
    auto& out = *static_cast<std::string*>(kept);
    if (!out.empty()) out += "; ";
    out += jv_string_value(text);
    jv_free(text);
    jv_free(message);
}

struct Machine {
    jq_state* state = jq_init();
    ~Machine() { jq_teardown(&state); }
};

}  // namespace

Result<std::string> filter_with_jq(const std::string& filter, const std::string& json_text) {
    Machine machine;
    std::string complaint;
    jq_set_error_cb(machine.state, keep_message, &complaint);
    if (jq_compile(machine.state, filter.c_str()) == 0)
        return fail_field(
            ErrorCode::invalid_argument, "--jq", "'" + filter + "' is no jq filter: " + complaint
        );
    jq_start(machine.state, jv_parse(json_text.c_str()), 0);
    std::string lines;
    jv result = jq_next(machine.state);
    for (; jv_is_valid(result); result = jq_next(machine.state)) {
        jv text = jv_get_kind(result) == JV_KIND_STRING ? jv_copy(result)
                                                        : jv_dump_string(jv_copy(result), 0);
        lines += std::string(jv_string_value(text)) + "\n";
        jv_free(text);
        jv_free(result);
    }
    jv message = jv_invalid_get_msg(result);
    const bool failed = jv_get_kind(message) == JV_KIND_STRING;
    if (failed) complaint = jv_string_value(message);
    jv_free(message);
    if (failed) return fail_field(ErrorCode::invalid_argument, "--jq", complaint);
    return lines;
}

}  // namespace penstock::cli
