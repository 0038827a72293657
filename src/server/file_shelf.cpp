// SPDX-License-Identifier: Apache-2.0
#include "server/file_shelf.h"

#include <charconv>

#include "batches/life.h"
#include "http/multipart.h"

namespace penstock::server {
namespace {

constexpr std::size_t kFieldBytesMax = 4UL * 1024;

std::unexpected<Error> wrong(std::string field, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
}

}  // namespace

// What a form has told so far.
struct FileShelf::Form {
    std::map<std::string, std::string> fields;  // the small ones
    std::string filename;
    std::unique_ptr<IncomingFile> file;
    std::string part;  // that is being read
};

Result<void> FileShelf::open() {
    std::error_code error;
    std::filesystem::create_directories(directory_ / "incoming", error);
    if (error) return disk_error(directory_, error.value());
    for (const auto& left : std::filesystem::directory_iterator(directory_ / "incoming", error))
        std::filesystem::remove(left.path(), error);
    for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
        const Result<FileId> id = FileId::parse(entry.path().filename().string());
        if (id && !platform_.files.contains(*id)) std::filesystem::remove(entry.path(), error);
    }
    return {};
}

std::unique_ptr<IncomingFile> FileShelf::begin() {
    return std::make_unique<IncomingFile>(
        directory_ / "incoming" / std::to_string(++next_temporary_)
    );
}

Result<const StoredFile*> FileShelf::find(
    const access::Principal& principal, std::string_view id, std::string_view field
) const {
    const Result<FileId> parsed = FileId::parse(id);
    const auto found = parsed ? platform_.files.find(*parsed) : platform_.files.end();
    if (found == platform_.files.end() ||
        found->second.organisation_id != principal.organisation_id ||
        found->second.project_id != principal.project_id)
        return fail_field(
            ErrorCode::not_found, std::string(field),
            "there is no file '" + std::string(id) + "' in this project; GET /v1/files lists them"
        );
    return &found->second;
}

Result<void> FileShelf::check_room(OrganisationId organisation, std::int64_t more_bytes) const {
    std::size_t files = 0;
    std::int64_t bytes = more_bytes;
    for (const auto& [id, file] : platform_.files) {
        if (file.organisation_id != organisation) continue;
        ++files;
        bytes += file.bytes;
    }
    if (files >= kFilesPerOrganisationMax)
        return fail_field(
            ErrorCode::resource_exhausted, "file",
            "the organisation has " + std::to_string(files) +
                " files, as many as it may: delete some, or let them expire sooner"
        );
    if (bytes > kFileBytesPerOrganisationMax)
        return fail_field(
            ErrorCode::resource_exhausted, "file",
            "the organisation's files may have 10 GiB together: delete some"
        );
    return {};
}

io::Task<Result<FileId>> FileShelf::receive(access::Principal principal, http::Request request) {
    CO_TRY(check_room(principal.organisation_id, 0));
    int& uploads = uploads_[principal.organisation_id];
    if (uploads >= kUploadsPerOrganisationMax)
        co_return fail(
            ErrorCode::resource_exhausted,
            "the organisation uploads 8 files already: try again when one is there"
        );
    struct Counted {
        int& count;
        explicit Counted(int& of) : count(of) { ++count; }
        ~Counted() { --count; }
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
    };
    const Counted counted(uploads);
    Form form;
    CO_TRY(co_await read_form(&request, &form));
    if (!form.file) co_return wrong("file", "the form has no file: send one as the part 'file'");
    StoredFile row = CO_TRY(row_of(principal, form));
    IncomingFile* file = form.file.get();
    const std::filesystem::path target = path_of(row.id);
    CO_TRY(co_await pool_.run([file, &target] { return file->finish(target); }));
    Change change;
    platform_.put(change, row);
    platform_.files[row.id] = row;
    CO_TRY(co_await platform_.committed(platform_.commit(std::move(change))));
    co_return row.id;
}

io::Task<Result<void>> FileShelf::read_form(http::Request* request, Form* form) {
    using Kind = http::MultipartReader::Event::Kind;
    http::MultipartReader parts(
        CO_TRY(http::MultipartReader::boundary_of(request->headers.get("Content-Type")))
    );
    while (true) {
        const std::string_view piece = CO_TRY(co_await request->reader.read());
        if (piece.empty()) co_return wrong("body", "the form ends before its last boundary");
        parts.feed(piece);
        for (bool more = true; more;) {
            const http::MultipartReader::Event event = CO_TRY(parts.next());
            more = event.kind != Kind::more;
            if (event.kind == Kind::end) co_return Result<void>{};
            if (event.kind == Kind::part) {
                form->part = event.name;
                if (event.name != "file") continue;
                if (form->file) co_return wrong("file", "one file for each request");
                form->file = begin();
                form->filename = event.filename.value_or("");
            }
            if (event.kind != Kind::data) continue;
            if (form->part == "file") {
                IncomingFile* file = form->file.get();
                if (file->bytes() + event.data.size() > kFileBytesMax)
                    co_return wrong("file", "a file has at most 200 MiB: split it");
                CO_TRY(co_await pool_.run([file, &event] { return file->write(event.data); }));
            } else {
                std::string& field = form->fields[form->part];
                if (field.size() + event.data.size() > kFieldBytesMax)
                    co_return wrong(form->part, "is too long");
                field.append(event.data);
            }
        }
    }
}

Result<StoredFile> FileShelf::row_of(const access::Principal& principal, Form& form) const {
    if (form.fields["purpose"] != "batch")
        return wrong(
            "purpose", "expected batch, got '" + form.fields["purpose"] +
                           "': no other use of files is offered here"
        );
    if (form.filename.size() > kFileNameBytesMax)
        return wrong("file", "its name has more than 255 bytes");
    Duration lives = kFileLives;
    if (form.fields.contains("expires_after[seconds]") ||
        form.fields.contains("expires_after[anchor]")) {
        const std::string& text = form.fields["expires_after[seconds]"];
        std::int64_t seconds = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
        lives = std::chrono::seconds(seconds);
        if (form.fields["expires_after[anchor]"] != "created_at")
            return wrong("expires_after[anchor]", "expected created_at");
        if (error != std::errc() || end != text.data() + text.size() || seconds < 3600 ||
            lives > batches::kFileLivesMax)
            return wrong("expires_after[seconds]", "expected 3600 to 2592000");
    }
    const auto bytes = static_cast<std::int64_t>(form.file->bytes());
    TRY(check_room(principal.organisation_id, bytes));
    return StoredFile{
        .id = platform_.make_id<FileId>(),
        .organisation_id = principal.organisation_id,
        .project_id = principal.project_id,
        .filename = form.filename,
        .purpose = "batch",
        .bytes = bytes,
        .sha256 = form.file->hash(),
        .created_at = platform_.now(),
        .expires_at = platform_.now() + lives
    };
}

void FileShelf::remove(Change& change, FileId id) {
    platform_.files.erase(id);
    platform_.remove(change, "file", to_string(id));
    change.after.emplace_back([this, path = path_of(id)] {
        // A file that stays is removed by the next start.
        (void)pool_.post([path] {
            std::error_code ignored;
            std::filesystem::remove(path, ignored);
        });
    });
}

}  // namespace penstock::server
