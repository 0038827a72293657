// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dialects/canonical.h"

namespace penstock::dialects {

// Keeps the first mistake of a document, with the place of it.
class Trouble {
  public:
    explicit Trouble(ErrorCode code) : code_(code) {}
    void add(std::string field, std::string message) {
        if (!error_) error_ = Error{code_, std::move(message), std::move(field)};
    }
    bool any() const { return error_.has_value(); }
    template <class T>
    Result<T> result(T value) {
        if (error_) return std::unexpected(std::move(*error_));
        return value;
    }

  private:
    ErrorCode code_;
    std::optional<Error> error_;
};

// Takes the members of an object one by one, by the type they must have. A null counts as absent
// and is shape; what nobody took is native. Mistakes go to `trouble` with their path.
class Fields {
  public:
    Fields(Json value, std::string path, Trouble& trouble);

    std::optional<Json> take(std::string_view key);
    std::optional<std::string> text(std::string_view key);
    std::optional<std::int64_t> integer(std::string_view key);
    std::optional<bool> boolean(std::string_view key);
    std::optional<Json> number(std::string_view key);
    std::optional<Json::Array> array(std::string_view key);
    std::optional<Json::Object> object(std::string_view key);
    // As above, and a mistake when it is absent.
    std::string need_text(std::string_view key);
    // Members of these names say nothing to the model: ids of items, states.
    void shape(std::initializer_list<std::string_view> keys);
    // A member that says what holds anyway.
    void shape_if(std::string_view key, const Json& usual);
    void put_shape(std::string_view key, Json value) { put(shape_, key, std::move(value)); }
    const Json::Object& shape() const { return shape_; }
    bool has(std::string_view key) const { return look(key) != nullptr; }
    const Json* look(std::string_view key) const { return find(object_, key); }
    std::string at(std::string_view key) const;
    Trouble& trouble() { return trouble_; }

    // What is left becomes the node's.
    void finish(Extras& extras);

  private:
    void wrong(std::string_view key, std::string_view expected);
    Json::Object object_;
    Json::Object shape_;
    std::string path_;
    Trouble& trouble_;
};
std::string index_path(std::string_view path, std::size_t index);
// Whether an unknown member of an answer says nothing, whatever it is called: false, or empty.
bool says_nothing(const Json& value);
// "path.member"; the member alone where the node is the document.
std::string member_path(std::string_view path, std::string_view member);

// Writes nodes in a dialect, and keeps the names of what it has no word for.
class Writer {
  public:
    enum class Of : std::uint8_t { request, answer };
    Writer(Dialect from, Dialect to, Of of = Of::request)
        : same_(from == to), from_(from), of_(of) {}
    // Whether the document came in this dialect.
    bool same() const { return same_; }
    Dialect from() const { return from_; }
    bool answers() const { return of_ == Of::answer; }
    void lose(std::string field) { losses_.said.push_back(std::move(field)); }
    void lose(const Extras& node, std::string_view member);
    // Of what an engine tells beside its answer.
    void leave_out(std::string field) { losses_.beside.push_back(std::move(field)); }
    // The node's own members again, or their loss.
    void extras(Json::Object& out, const Extras& node);
    // For places where only the names matter: nothing is written.
    void lose_natives(const Extras& node);
    // As extras(), of an answer or one of its choices: what stands beside the message.
    void around(Json::Object& out, const Extras& node);
    Losses take_losses() { return std::move(losses_); }

  private:
    bool same_;
    Dialect from_;
    Of of_;
    Losses losses_;
};

}  // namespace penstock::dialects
