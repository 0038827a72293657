// SPDX-License-Identifier: Apache-2.0
#include "agent/acceptance.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/child_process.h"
#include "agent/glob.h"
#include "drivers/files.h"
#include "drivers/process_driver.h"

namespace penstock::agent {
namespace {

std::string one_line(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
}

std::vector<std::string> confined(const JqOptions& options, const std::string& expression) {
    return {
        options.prlimit,
        "--cpu=10",
        "--as=1073741824",
        "--nofile=64",
        "--fsize=0",
        options.bwrap,
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--ro-bind",
        "/usr",
        "/usr",
        "--symlink",
        "usr/lib",
        "/lib",
        "--symlink",
        "usr/lib64",
        "/lib64",
        "--symlink",
        "usr/bin",
        "/bin",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--chdir",
        "/",
        options.jq,
        "-c",
        expression
    };
}

std::optional<FailedCheck> failed_jq(
    const AcceptanceCheck& check, int file, const JqOptions& options
) {
    if (access(options.jq.c_str(), X_OK) != 0)
        return FailedCheck{
            fmt::format(
                "this node has no {} to check '{}'; install the package jq on it", options.jq,
                *check.jq
            ),
            FaultDomain::provider
        };
    struct stat about{};
    if (fstat(file, &about) != 0 || about.st_size > kCheckedBytesMax)
        return FailedCheck{fmt::format(
            "{} is larger than {} MiB; write what is checked to a file of its own", check.file,
            kCheckedBytesMax >> 20
        )};
    const Result<ChildResult> result =
        run_child(confined(options, *check.jq), file, options.time_max);
    if (!result) return FailedCheck{result.error().message, FaultDomain::provider};
    if (result->timed_out)
        return FailedCheck{fmt::format(
            "jq '{}' on {} took longer than {}", *check.jq, check.file, to_string(options.time_max)
        )};
    if (result->exit_code != 0)
        return FailedCheck{
            fmt::format("jq '{}' on {} failed: {}", *check.jq, check.file, one_line(result->err))
        };
    if (result->out != "true\n")
        return FailedCheck{fmt::format(
            "jq '{}' on {} gave {}, not true", *check.jq, check.file, one_line(result->out)
        )};
    return std::nullopt;
}

std::optional<FailedCheck> failed_one(
    const AcceptanceCheck& check, const std::string& work_dir, const JqOptions& options
) {
    const Result<std::string> path = normal_pattern(check.file);
    if (!path) return FailedCheck{path.error().message};
    const Result<int> opened = drivers::open_beneath(work_dir, *path);
    if (!opened)
        return FailedCheck{fmt::format("{} is not there: {}", check.file, opened.error().message)};
    const drivers::FileDescriptor file(*opened);
    return check.jq ? failed_jq(check, file.get(), options) : std::nullopt;
}

}  // namespace

std::optional<FailedCheck> failed_check(
    const AcceptanceSpec& acceptance, const std::string& work_dir, const JqOptions& options
) {
    for (const AcceptanceCheck& check : acceptance.checks)
        if (std::optional<FailedCheck> failed = failed_one(check, work_dir, options)) return failed;
    return std::nullopt;
}

}  // namespace penstock::agent
