// SPDX-License-Identifier: Apache-2.0
#include "cli/workdir_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "cli/human_text.h"
#include "client/content_hash.h"
#include "config/settings.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kPieceBytes = 256UL * 1024;
constexpr std::size_t kIgnoreFileBytesMax = 256UL * 1024;
constexpr std::string_view kIgnoreFile = ".penstockignore";

struct Found {
    std::string path;  // relative, with /
    fs::file_status status;
    std::uintmax_t bytes = 0;
};

Error cannot(const fs::path& path, const std::string& why) {
    return {ErrorCode::invalid_argument, path.string() + ": " + why, "workdir"};
}

// Everything below the folder that is not ignored, folders before their content, sorted by path.
Result<std::vector<Found>> collect(const fs::path& folder, const IgnoreRules& rules) {
    std::vector<Found> all;
    std::error_code failed;
    fs::recursive_directory_iterator walk(folder, failed);
    if (failed) return std::unexpected(cannot(folder, "cannot be read: " + failed.message()));
    for (; walk != fs::recursive_directory_iterator(); walk.increment(failed)) {
        const fs::file_status status = walk->symlink_status(failed);
        const bool is_folder = fs::is_directory(status);
        const std::string path = walk->path().lexically_relative(folder).generic_string();
        if (rules.ignores(path, is_folder)) {
            if (is_folder) walk.disable_recursion_pending();
            continue;
        }
        if (!is_folder && !fs::is_regular_file(status) && !fs::is_symlink(status))
            return std::unexpected(
                cannot(walk->path(), "is no file, folder or link: name it in .penstockignore")
            );
        const std::uintmax_t bytes = fs::is_regular_file(status) ? walk->file_size(failed) : 0;
        if (failed)
            return std::unexpected(cannot(walk->path(), "cannot be read: " + failed.message()));
        all.push_back({path, status, bytes});
        if (all.size() > kArchiveFilesMax)
            return std::unexpected(
                cannot(folder, "has more than 1000000 entries: name folders in .penstockignore")
            );
    }
    if (failed) return std::unexpected(cannot(folder, "cannot be read: " + failed.message()));
    std::ranges::sort(all, {}, &Found::path);
    return all;
}

Result<void> check_size(const fs::path& folder, const std::vector<Found>& all) {
    std::uintmax_t total = 0;
    const Found* largest = nullptr;
    for (const Found& found : all) {
        total += found.bytes;
        if (largest == nullptr || found.bytes > largest->bytes) largest = &found;
    }
    if (total <= static_cast<std::uintmax_t>(kArchiveBytesMax)) return {};
    return std::unexpected(cannot(
        folder, "has " + bytes_text(static_cast<std::int64_t>(total)) +
                    ", at most 1GiB can be uploaded; the largest file is " + largest->path +
                    " with " + bytes_text(static_cast<std::int64_t>(largest->bytes)) +
                    ": leave things out with .penstockignore"
    ));
}

// libarchive's writer of one tar file.
class TarWriter {
  public:
    Result<void> open(const fs::path& file) {
        archive_write_set_format_pax_restricted(archive_.get());
        archive_write_add_filter_none(archive_.get());
        // Without padding of the last block to 10 KiB the size is that of the content.
        archive_write_set_bytes_in_last_block(archive_.get(), 1);
        return check(archive_write_open_filename(archive_.get(), file.c_str()));
    }
    Result<void> add(const fs::path& folder, const Found& found) {
        const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(
            archive_entry_new(), archive_entry_free
        );
        const fs::path source = folder / found.path;
        archive_entry_set_pathname(entry.get(), found.path.c_str());
        archive_entry_set_mtime(entry.get(), 0, 0);
        archive_entry_set_uid(entry.get(), 0);
        archive_entry_set_gid(entry.get(), 0);
        const bool can_run =
            (found.status.permissions() & fs::perms::owner_exec) != fs::perms::none;
        archive_entry_set_perm(entry.get(), can_run ? 0755 : 0644);
        archive_entry_set_size(entry.get(), 0);
        if (fs::is_directory(found.status)) {
            archive_entry_set_filetype(entry.get(), AE_IFDIR);
            return check(archive_write_header(archive_.get(), entry.get()));
        }
        if (fs::is_symlink(found.status)) {
            std::error_code failed;
            archive_entry_set_filetype(entry.get(), AE_IFLNK);
            archive_entry_set_perm(entry.get(), 0777);
            archive_entry_set_symlink(entry.get(), fs::read_symlink(source, failed).c_str());
            if (failed) return std::unexpected(cannot(source, failed.message()));
            return check(archive_write_header(archive_.get(), entry.get()));
        }
        archive_entry_set_filetype(entry.get(), AE_IFREG);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(found.bytes));
        TRY(check(archive_write_header(archive_.get(), entry.get())));
        return add_content(source, found.bytes);
    }
    Result<void> close() { return check(archive_write_close(archive_.get())); }

  private:
    Result<void> add_content(const fs::path& source, std::uintmax_t bytes) {
        std::ifstream stream(source, std::ios::binary);
        if (!stream) return std::unexpected(cannot(source, "cannot be read"));
        std::string piece(kPieceBytes, '\0');
        std::uintmax_t done = 0;
        while (stream) {
            stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
            const auto got = static_cast<std::size_t>(stream.gcount());
            done += got;
            if (got > 0 && archive_write_data(archive_.get(), piece.data(), got) < 0)
                return check(ARCHIVE_FATAL);
        }
        if (done != bytes)
            return std::unexpected(cannot(source, "changed while it was packed: try again"));
        return {};
    }
    Result<void> check(int status) {
        if (status == ARCHIVE_OK || status == ARCHIVE_WARN) return {};
        const char* why = archive_error_string(archive_.get());
        return fail_field(
            ErrorCode::internal, "workdir",
            std::string("packing failed: ") + (why == nullptr ? "unknown" : why)
        );
    }
    std::unique_ptr<archive, decltype(&archive_write_free)> archive_{
        archive_write_new(), archive_write_free
    };
};

}  // namespace

IgnoreRules IgnoreRules::parse(std::string_view text) {
    IgnoreRules rules;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
        if (line.empty() || line.front() == '#') continue;
        Rule rule;
        if (line.front() == '!') {
            rule.keep = true;
            line.erase(0, 1);
        }
        if (line.ends_with('/')) {
            rule.folders_only = true;
            line.pop_back();
        }
        rule.whole_path = line.contains('/');
        if (line.starts_with('/')) line.erase(0, 1);
        rule.pattern = std::move(line);
        if (!rule.pattern.empty()) rules.rules_.push_back(std::move(rule));
    }
    return rules;
}

bool IgnoreRules::ignores(std::string_view path, bool is_folder) const {
    const std::string whole(path);
    const std::string name(
        path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1)
    );
    bool ignored = false;
    for (const Rule& rule : rules_) {
        if (rule.folders_only && !is_folder) continue;
        const std::string& subject = rule.whole_path ? whole : name;
        if (fnmatch(rule.pattern.c_str(), subject.c_str(), FNM_PATHNAME) == 0) ignored = !rule.keep;
    }
    return ignored;
}

WorkdirArchive::WorkdirArchive(WorkdirArchive&& other) noexcept { *this = std::move(other); }
WorkdirArchive& WorkdirArchive::operator=(WorkdirArchive&& other) noexcept {
    std::swap(file, other.file);
    std::swap(sha256, other.sha256);
    bytes = other.bytes;
    entries = other.entries;
    return *this;
}
WorkdirArchive::~WorkdirArchive() {
    std::error_code ignored;
    if (!file.empty()) fs::remove(file, ignored);
}

Result<WorkdirArchive> pack_workdir(const fs::path& folder) {
    std::error_code failed;
    if (!fs::is_directory(folder, failed))
        return fail_field(
            ErrorCode::invalid_argument, "workdir",
            "'" + folder.string() + "' is no folder: name one that exists here"
        );
    IgnoreRules rules;
    const fs::path ignore_file = folder / kIgnoreFile;
    if (fs::exists(ignore_file, failed))
        rules = IgnoreRules::parse(TRY(config::read_file(ignore_file, kIgnoreFileBytesMax)));
    const std::vector<Found> all = TRY(collect(folder, rules));
    TRY(check_size(folder, all));

    WorkdirArchive archive;
    std::string name = (fs::temp_directory_path(failed) / "penstock-workdir-XXXXXX").string();
    const int descriptor = mkstemp(name.data());
    if (descriptor < 0)
        return fail(
            ErrorCode::internal,
            "cannot make a temporary file in " + fs::temp_directory_path(failed).string()
        );
    close(descriptor);
    archive.file = name;
    TarWriter writer;
    TRY(writer.open(archive.file));
    for (const Found& found : all) TRY(writer.add(folder, found));
    TRY(writer.close());
    archive.entries = all.size();
    archive.bytes = static_cast<std::int64_t>(fs::file_size(archive.file, failed));
    if (archive.bytes > kArchiveBytesMax)
        return std::unexpected(
            cannot(folder, "packs to more than 1GiB: leave things out with .penstockignore")
        );
    archive.sha256 = TRY(client::content_hash_of_file(archive.file));
    return archive;
}

}  // namespace penstock::cli
