// SPDX-License-Identifier: Apache-2.0
#include "cli/tokenizer_upload.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>

#include "cli/column.h"
#include "cli/json_path.h"
#include "client/content_hash.h"
#include "tokenizer/tokenizer.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFlag = "--tokenizer";
constexpr std::size_t kTemporaryNameLength = 16;
constexpr std::size_t kHeadFirst = 4UL << 20;  // of a GGUF; doubled until its vocabulary is in it

Result<std::string> read_head(const fs::path& file, std::size_t bytes) {
    std::ifstream stream(file, std::ios::binary);
    std::string head(bytes, '\0');
    stream.read(head.data(), static_cast<std::streamsize>(bytes));
    if (stream.bad() || (!stream.is_open()))
        return fail_field(
            ErrorCode::invalid_argument, kFlag, "'" + file.string() + "' cannot be read"
        );
    head.resize(static_cast<std::size_t>(stream.gcount()));
    return head;
}

// The smallest head of the file that a tokenizer can be made of.
Result<std::string> tokenizer_head(const fs::path& file) {
    for (std::size_t bytes = kHeadFirst;; bytes *= 2) {
        const std::size_t most = std::min(bytes, tokenizer::kStoredBytesMax);
        std::string head = TRY(read_head(file, most));
        const bool gguf = head.starts_with("GGUF");
        const bool whole = head.size() < most;
        if (!gguf && !whole) {
            if (most < tokenizer::kStoredBytesMax) continue;
            return fail_field(
                ErrorCode::resource_exhausted, kFlag,
                "'" + file.string() + "' has more than 64 MiB, the most that is kept"
            );
        }
        const Result<tokenizer::Tokenizer> made = tokenizer::Tokenizer::from_file(head);
        if (made) return head;
        if (whole || most == tokenizer::kStoredBytesMax) {
            const Error& cause = made.error();
            return fail_field(
                ErrorCode::invalid_argument, kFlag,
                "'" + file.string() + "' is no tokenizer that texts can be counted with: " +
                    (cause.field.empty() ? "" : cause.field + ": ") + cause.message
            );
        }
    }
}

// What is uploaded stands in a file, removed with this.
class TemporaryFile {
  public:
    static Result<TemporaryFile> of(const std::string& bytes, const std::string& name) {
        std::error_code failed;
        TemporaryFile made(fs::temp_directory_path(failed) / ("penstock-tokenizer-" + name));
        std::ofstream stream(made.path_, std::ios::binary);
        stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        stream.close();
        if (failed || !stream)
            return fail(ErrorCode::internal, "cannot write " + made.path_.string());
        return made;
    }
    ~TemporaryFile() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove(path_, ignored);
    }
    TemporaryFile(TemporaryFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    TemporaryFile& operator=(TemporaryFile&&) = delete;
    const fs::path& path() const { return path_; }

  private:
    explicit TemporaryFile(fs::path path) : path_(std::move(path)) {}
    fs::path path_;
};

std::string percent_of_hundredths(const std::string& hundredths) {
    std::string digits = hundredths.empty() ? "0" : hundredths;
    if (digits.size() < 3) digits.insert(0, 3 - digits.size(), '0');
    digits.insert(digits.size() - 2, ".");
    return digits + " %";
}

}  // namespace

io::Task<Result<std::optional<std::string>>> upload_tokenizer(Invocation* invocation) {
    const std::optional<std::string> name = invocation->arguments.value("tokenizer");
    if (!name) co_return std::nullopt;
    if (*name == "none") co_return std::string();
    const std::string head =
        CO_TRY(tokenizer_head(invocation->surroundings.working_folder / *name));
    const std::string sha256 = client::content_hash(head);
    const TemporaryFile file =
        CO_TRY(TemporaryFile::of(head, random_text(invocation->random, kTemporaryNameLength)));
    client::Client* client = CO_TRY(invocation->client());
    CO_TRY(co_await client->upload_blob(sha256, file.path()));
    co_return sha256;
}

std::string second_meter_cell(const json::Value& row, const Look&) {
    const json::Value* meter = at_path(row, "second_meter");
    if (meter == nullptr) return {};
    return text_at(*meter, "calls") + " calls, input " +
           percent_of_hundredths(text_at(*meter, "input_difference_max")) + ", output " +
           percent_of_hundredths(text_at(*meter, "output_difference_max")) + " at most";
}

}  // namespace penstock::cli
