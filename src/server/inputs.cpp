// SPDX-License-Identifier: Apache-2.0
#include "server/inputs.h"

namespace penstock::server {
namespace {

// `pattern` may have *, which stands for any text.
bool matches(std::string_view pattern, std::string_view text) {
    std::size_t at = 0, in_text = 0;
    std::optional<std::size_t> star;  // the last one, and how much of the text it stands for
    std::size_t taken = 0;
    while (in_text < text.size()) {
        if (at < pattern.size() && pattern[at] == '*') {
            star = at++;
            taken = in_text;
        } else if (at < pattern.size() && pattern[at] == text[in_text]) {
            ++at;
            ++in_text;
        } else if (star) {
            at = *star + 1;
            in_text = ++taken;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

// "out/model.gguf" → "model.gguf": what its own task's folder was called says nothing here.
std::string name_of_output(std::string_view path) {
    if (path.starts_with("out/")) path.remove_prefix(4);
    return std::string(path);
}

}  // namespace

std::vector<StagedInput> inputs_of(const Platform& platform, const TaskSpec& spec) {
    std::vector<StagedInput> all;
    if (!spec.inputs) return all;
    for (const InputSpec& input : *spec.inputs) {
        const Result<TaskId> id = TaskId::parse(input.task);
        const Task* from = id ? platform.board.find(*id) : nullptr;
        if (from == nullptr) continue;  // a plan of a spec that was not submitted
        for (const OutputFile& output : from->outputs)
            if (matches(input.path, output.path))
                all.push_back(
                    {.path = (input.to.empty() ? "" : input.to + "/") + name_of_output(output.path),
                     .sha256 = output.sha256,
                     .bytes = output.bytes}
                );
    }
    return all;
}

}  // namespace penstock::server
