// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "http/message.h"
#include "io/pool.h"
#include "io/task.h"
#include "server/durable_file.h"
#include "server/platform.h"

namespace penstock::server {

constexpr std::size_t kFileBytesMax = 200UL * 1024 * 1024;
constexpr std::size_t kFileNameBytesMax = 255;
// Of one organisation; what is uploaded beyond is refused, what batches answer is kept.
constexpr std::size_t kFilesPerOrganisationMax = 2'000;
constexpr std::int64_t kFileBytesPerOrganisationMax = 10LL * 1024 * 1024 * 1024;
constexpr int kUploadsPerOrganisationMax = 8;  // at one time
// Where the client names no other time.
constexpr Duration kFileLives = 30 * 24h;

// The files of OpenAI's API: rows in the platform, bytes below the state directory, one file for
// each id, whole or absent. Bytes without a row are of an upload that a crash cut short.
class FileShelf {
  public:
    FileShelf(std::filesystem::path directory, Platform& platform, io::Pool& pool)
        : directory_(std::move(directory)), platform_(platform), pool_(pool) {}
    // Blocking: makes the folder and removes what no row names.
    Result<void> open();

    std::filesystem::path path_of(FileId id) const { return directory_ / to_string(id); }
    // A file that will be finish()ed to path_of(): not there before.
    std::unique_ptr<IncomingFile> begin();
    // The caller's own; not_found for a foreign one as for a missing one.
    Result<const StoredFile*> find(
        const access::Principal& principal, std::string_view id, std::string_view field = "file_id"
    ) const;
    // One multipart form, stored and committed.
    io::Task<Result<FileId>> receive(access::Principal principal, http::Request request);
    // The row goes with `change`, the bytes when it is durable.
    void remove(Change& change, FileId id);

  private:
    struct Form;
    io::Task<Result<void>> read_form(http::Request* request, Form* form);
    Result<void> check_room(OrganisationId organisation, std::int64_t more_bytes) const;
    Result<StoredFile> row_of(const access::Principal& principal, Form& form) const;

    std::filesystem::path directory_;
    Platform& platform_;
    io::Pool& pool_;
    std::uint64_t next_temporary_ = 0;
    std::map<OrganisationId, int> uploads_;
};

}  // namespace penstock::server
