// SPDX-License-Identifier: Apache-2.0
#include "io/tls.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>

#include "io/await.h"
#include "io/stream_state.h"

namespace penstock::io {
namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

struct TlsContext::State {
    explicit State(ssl::context::method method) : context(method) {}
    ssl::context context;
    bool verify_server = false;
};

namespace {

std::unexpected<Error> bad_file(
    std::string_view what, const std::string& file, const error_code& error
) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format(
            "TLS {} '{}' cannot be used: {} (a readable PEM file is needed)", what, file,
            error.message()
        )
    );
}

void set_versions(ssl::context& context) {
    context.set_options(
        ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
        ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | SSL_OP_NO_RENEGOTIATION
    );
    // Idle connections give their 16 KiB record buffers back.
    SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);
}

Result<void> use_key(
    ssl::context& context, const std::string& certificate, const std::string& key
) {
    error_code error;
    context.use_certificate_chain_file(certificate, error);
    if (error) return bad_file("certificate file", certificate, error);
    context.use_private_key_file(key, ssl::context::pem, error);
    if (error) return bad_file("key file", key, error);
    return {};
}

// ALPN: the only protocol that is spoken here.
constexpr unsigned char kProtocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned offered_size, void*) {
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(
        &chosen, out_size, kProtocols, sizeof(kProtocols), offered, offered_size
    );
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Task<Result<void>> handshake(
    Stream::State* state, ssl::stream_base::handshake_type side, Deadline deadline
) {
    auto& tls = **std::get_if<2>(&state->socket);
    state->set_read(deadline);
    const auto [error] = co_await tls.async_handshake(side, kAwait);
    const bool expired = state->read_expired;
    state->set_read(Deadline::none());
    if (!error) co_return Result<void>{};
    state->close();
    if (expired)
        co_return fail(
            ErrorCode::deadline_exceeded,
            fmt::format("TLS handshake with {} took longer than allowed", state->peer)
        );
    co_return fail(
        ErrorCode::unavailable,
        fmt::format("TLS handshake with {} failed: {}", state->peer, error.message())
    );
}

// Moves the TCP socket of `state` below a TLS socket.
void wrap(Stream::State& state, const TlsContext& context) {
    TcpSocket tcp = std::move(std::get<TcpSocket>(state.socket));
    const std::shared_ptr<TlsContext::State>& tls = state.make_uncommon().tls = context.state();
    state.socket = std::make_unique<TlsSocket>(std::move(tcp), tls->context);
}

}  // namespace

Result<TlsContext> TlsContext::server(const TlsServerOptions& options) {
    auto state = std::make_shared<State>(ssl::context::tls_server);
    set_versions(state->context);
    TRY(use_key(state->context, options.certificate_file, options.key_file));
    SSL_CTX_set_alpn_select_cb(state->context.native_handle(), choose_protocol, nullptr);
    if (!options.client_ca_file.empty()) {
        error_code error;
        state->context.load_verify_file(options.client_ca_file, error);
        if (error) return bad_file("client CA file", options.client_ca_file, error);
        state->context.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
    }
    return TlsContext(std::move(state));
}

Result<TlsContext> TlsContext::client(const TlsClientOptions& options) {
    auto state = std::make_shared<State>(ssl::context::tls_client);
    set_versions(state->context);
    error_code error;
    if (options.ca_file.empty())
        state->context.set_default_verify_paths(error);
    else
        state->context.load_verify_file(options.ca_file, error);
    if (error) return bad_file("CA file", options.ca_file, error);
    if (!options.certificate_file.empty())
        TRY(use_key(state->context, options.certificate_file, options.key_file));
    state->context.set_verify_mode(options.verify ? ssl::verify_peer : ssl::verify_none);
    state->verify_server = options.verify;
    return TlsContext(std::move(state));
}

Task<Result<void>> Stream::secure_as_server(TlsContext context, Deadline deadline) {
    wrap(*state_, context);
    co_return co_await handshake(state_.get(), ssl::stream_base::server, deadline);
}

Task<Result<void>> Stream::secure_as_client(
    TlsContext context, std::string host, Deadline deadline
) {
    wrap(*state_, context);
    auto& tls = **std::get_if<2>(&state_->socket);
    error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    // Server names are names: RFC 6066 has none for addresses.
    if (not_an_address) SSL_set_tlsext_host_name(tls.native_handle(), host.c_str());
    SSL_set_alpn_protos(tls.native_handle(), kProtocols, sizeof(kProtocols));
    if (context.state()->verify_server) tls.set_verify_callback(ssl::host_name_verification(host));
    co_return co_await handshake(state_.get(), ssl::stream_base::client, deadline);
}

}  // namespace penstock::io
