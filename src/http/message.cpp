// SPDX-License-Identifier: Apache-2.0
#include "http/message.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace penstock::http {
namespace {

struct Reason {
    int status;
    std::string_view phrase;
};
constexpr std::array kReasons = {
    Reason{100, "Continue"},
    Reason{101, "Switching Protocols"},
    Reason{200, "OK"},
    Reason{201, "Created"},
    Reason{202, "Accepted"},
    Reason{204, "No Content"},
    Reason{206, "Partial Content"},
    Reason{301, "Moved Permanently"},
    Reason{302, "Found"},
    Reason{303, "See Other"},
    Reason{304, "Not Modified"},
    Reason{307, "Temporary Redirect"},
    Reason{308, "Permanent Redirect"},
    Reason{400, "Bad Request"},
    Reason{401, "Unauthorized"},
    Reason{402, "Payment Required"},
    Reason{403, "Forbidden"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{406, "Not Acceptable"},
    Reason{408, "Request Timeout"},
    Reason{409, "Conflict"},
    Reason{410, "Gone"},
    Reason{411, "Length Required"},
    Reason{412, "Precondition Failed"},
    Reason{413, "Content Too Large"},
    Reason{414, "URI Too Long"},
    Reason{415, "Unsupported Media Type"},
    Reason{416, "Range Not Satisfiable"},
    Reason{417, "Expectation Failed"},
    Reason{422, "Unprocessable Content"},
    Reason{425, "Too Early"},
    Reason{426, "Upgrade Required"},
    Reason{428, "Precondition Required"},
    Reason{429, "Too Many Requests"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{500, "Internal Server Error"},
    Reason{501, "Not Implemented"},
    Reason{502, "Bad Gateway"},
    Reason{503, "Service Unavailable"},
    Reason{504, "Gateway Timeout"},
    Reason{505, "HTTP Version Not Supported"},
};

Response with_body(int status, std::string_view type, std::string body) {
    Response response{.status = status, .headers = {}, .body = std::move(body)};
    response.headers.add("Content-Type", type);
    return response;
}

}  // namespace

std::string_view reason_phrase(int status) {
    const auto* found = std::ranges::find(kReasons, status, &Reason::status);
    return found == kReasons.end() ? "Unknown" : found->phrase;
}

const std::string& Request::param(std::string_view name) const {
    const auto found = std::ranges::find(params, name, [](const auto& pair) {
        return std::string_view(pair.first);
    });
    CHECK(found != params.end(), "the route's pattern has a parameter named " + std::string(name));
    return found->second;
}

Response Response::json(int status, std::string body) {
    return with_body(status, "application/json", std::move(body));
}

Response Response::text(int status, std::string body) {
    return with_body(status, "text/plain; charset=utf-8", std::move(body));
}

Response Response::empty(int status) {
    return {.status = status, .headers = {}, .body = std::string()};
}

Response Response::event_stream(StreamBody body) {
    Response response{.status = 200, .headers = {}, .body = std::move(body)};
    response.headers.add("Content-Type", "text/event-stream");
    response.headers.add("Cache-Control", "no-cache");
    response.headers.add("X-Accel-Buffering", "no");
    return response;
}

Response Response::file(std::filesystem::path path, std::string content_type) {
    Response response{.status = 200, .headers = {}, .body = FileBody{.path = std::move(path)}};
    response.headers.add("Content-Type", content_type);
    return response;
}

Response Response::websocket(
    std::move_only_function<io::Task<void>(std::shared_ptr<WebSocket>)> run, std::string subprotocol
) {
    return {.status = 101, .headers = {}, .body = Upgrade{std::move(run), std::move(subprotocol)}};
}

}  // namespace penstock::http
