// SPDX-License-Identifier: Apache-2.0
#include "agent/work_files.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <deque>

#include "agent/glob.h"
#include "drivers/files.h"

namespace penstock::agent {
namespace {
constexpr std::int64_t kLogReadBytes = std::int64_t{1} << 20;
constexpr std::int64_t kTailBytes = 32L * 1024;
}  // namespace

namespace {

// The folder `relative` below `work_dir`, made with those above it.
Result<drivers::FileDescriptor> open_folder(
    const std::string& work_dir, std::string_view relative
) {
    drivers::FileDescriptor at(open(work_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!at.is_open()) return drivers::fail_errno(errno, work_dir);
    while (!relative.empty()) {
        const std::string segment(relative.substr(0, relative.find('/')));
        relative.remove_prefix(std::min(relative.size(), segment.size() + 1));
        if (mkdirat(at.get(), segment.c_str(), 0755) != 0 && errno != EEXIST)
            return drivers::fail_errno(errno, segment);
        drivers::FileDescriptor next(
            openat(at.get(), segment.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        );
        if (!next.is_open())
            return fail(
                ErrorCode::conflict, fmt::format(
                                         "'{}' in the work directory must be a folder; remove the "
                                         "file or link of that name",
                                         segment
                                     )
            );
        at = std::move(next);
    }
    return at;
}

}  // namespace

Result<void> make_folder(const std::string& work_dir, std::string_view relative) {
    TRY(open_folder(work_dir, relative));
    return {};
}

Result<void> place_file(
    const std::string& work_dir, const std::string& relative, const std::string& file
) {
    // The name was made elsewhere, perhaps by a node that is not to be trusted.
    for (std::size_t at = 0; at <= relative.size();) {
        const std::string segment = relative.substr(at, relative.find('/', at) - at);
        if (segment.empty() || segment == "." || segment == "..")
            return fail(
                ErrorCode::invalid_argument, "'" + relative + "' does not stay below the folder"
            );
        at += segment.size() + 1;
    }
    const std::size_t slash = relative.rfind('/');
    const bool deep = slash != std::string::npos;
    const drivers::FileDescriptor folder =
        TRY(open_folder(work_dir, deep ? std::string_view(relative).substr(0, slash) : ""));
    const std::string name = deep ? relative.substr(slash + 1) : relative;
    // What a program of the task will read, so not with the mode that the agent keeps its own by.
    if (::chmod(file.c_str(), 0644) != 0) return drivers::fail_errno(errno, file);
    // Scratch and work directories lie in one state directory: one file system.
    if (::renameat(AT_FDCWD, file.c_str(), folder.get(), name.c_str()) != 0)
        return drivers::fail_errno(errno, relative);
    return {};
}

OutputList list_outputs(const std::vector<OutputSpec>& outputs, const std::string& work_dir) {
    OutputList list;
    for (const OutputSpec& output : outputs) {
        const Result<GlobResult> found = glob(work_dir, output.path);
        if (!found) {
            (output.required ? list.missing : list.remarks)
                .push_back(fmt::format("output '{}': {}", output.path, found.error().message));
            continue;
        }
        for (const std::string& link : found->skipped)
            list.remarks.push_back(
                fmt::format("output '{}' is a link or no regular file; it was not collected", link)
            );
        if (found->files.empty() && output.required)
            list.missing.push_back(fmt::format("required output '{}' matched no file", output.path)
            );
        list.files.insert(list.files.end(), found->files.begin(), found->files.end());
    }
    std::ranges::sort(list.files);
    const auto repeated = std::ranges::unique(list.files);
    list.files.erase(repeated.begin(), repeated.end());
    if (list.files.size() > kOutputFilesMax) {
        list.missing.push_back(fmt::format(
            "{} output files; at most {} are collected: pack them", list.files.size(),
            kOutputFilesMax
        ));
        list.files.resize(kOutputFilesMax);
    }
    return list;
}

std::string last_lines(drivers::Driver& driver, const std::string& attempt_id, std::int64_t known) {
    std::deque<std::string> lines;
    // A start within a line costs that line only: what is no whole entry is passed over.
    std::int64_t from = std::max<std::int64_t>(0, known - kTailBytes);
    for (;;) {
        const Result<drivers::LogChunk> chunk = driver.read_log(attempt_id, from, kLogReadBytes);
        if (!chunk || chunk->lines.empty()) break;
        for (const drivers::LogLine& line : chunk->lines) {
            lines.push_back(line.text);
            if (lines.size() > kLastLinesMax) lines.pop_front();
        }
        if (chunk->next_offset <= from) break;
        from = chunk->next_offset;
    }
    std::string text;
    for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
    return text;
}

Result<std::int64_t> free_port(const std::string& address) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    if (inet_pton(AF_INET, address.c_str(), &name.sin_addr) != 1)
        return fail_field(
            ErrorCode::invalid_argument, "service_address",
            fmt::format("'{}' is not an IPv4 address of this host", address)
        );
    const drivers::FileDescriptor socket_of(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    socklen_t size = sizeof name;
    if (!socket_of.is_open() ||
        bind(socket_of.get(), reinterpret_cast<sockaddr*>(&name), size) != 0 ||
        getsockname(socket_of.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0)
        return drivers::fail_errno(errno, "finding a free port on " + address);
    return ntohs(name.sin_port);
}

}  // namespace penstock::agent
