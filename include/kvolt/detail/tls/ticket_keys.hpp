#ifndef KVOLT_DETAIL_TLS_TICKET_KEYS_HPP
#define KVOLT_DETAIL_TLS_TICKET_KEYS_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <optional>
#include <utility>

namespace kvolt::detail {

/// A key that session tickets are sealed with, and the name by which they tell it.
struct TicketKey {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> cipher{}, mac{};

    TicketKey() = default;
    TicketKey(const TicketKey&) = default;
    TicketKey& operator=(const TicketKey&) = default;
    ~TicketKey() {
        OPENSSL_cleanse(cipher.data(), cipher.size());
        OPENSSL_cleanse(mac.data(), mac.size());
    }

    /// @returns  nothing if there is no randomness.
    static std::optional<TicketKey> make() noexcept {
        TicketKey key;
        for (auto [bytes, size] :
             {std::pair(key.name.data(), key.name.size()), std::pair(key.cipher.data(), key.cipher.size()),
              std::pair(key.mac.data(), key.mac.size())})
            if (RAND_bytes(bytes, static_cast<int>(size)) != 1) return std::nullopt;
        return key;
    }
};

/// The keys of all loops for sessions of TLS 1.2 and 1.3 (RFC 5077, section 5.5; RFC 8446, section 4.6.1): who steals
/// one opens what was said in sessions of a few hours, and not of all since the server started. Any thread.
class TicketKeys {
public:
    using Clock = std::chrono::steady_clock;
    using Now = Clock::time_point (*)();

    /// How long new tickets are sealed with one key. It opens them for as long again, which is as long as a session of
    /// OpenSSL may be resumed.
    static constexpr std::chrono::hours period{2};

    /// @param now  A clock.
    explicit TicketKeys(Now now = Clock::now) noexcept : now_(now) {}

    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;

    /// The key for a new ticket; nothing if there is no randomness.
    std::optional<TicketKey> current() noexcept {
        std::lock_guard lock(mutex_);
        rotate();
        if (!current_) {
            current_ = TicketKey::make();
            if (!former_) since_ = now_();
        }
        return current_;
    }

    struct Opener {
        TicketKey key;
        bool former = false;  ///< The ticket has to be replaced.
    };

    /// The key of a ticket's name; nothing if there is none any more.
    std::optional<Opener> find(const unsigned char* name) noexcept {
        std::lock_guard lock(mutex_);
        rotate();
        auto named = [&](const std::optional<TicketKey>& key) {
            return key && std::equal(key->name.begin(), key->name.end(), name);
        };
        if (named(current_)) return Opener{*current_};
        if (named(former_)) return Opener{*former_, true};
        return std::nullopt;
    }

    /// Seal and open the tickets of a context by these keys, which must outlive it.
    void serve(SSL_CTX* context) {
        SSL_CTX_set_ex_data(context, place(), this);
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &TicketKeys::on_ticket);
    }

private:
    void rotate() noexcept {
        if (!current_ && !former_) return;
        auto age = now_() - since_;
        if (age < period) return;
        former_ = age < 2 * period ? std::exchange(current_, std::nullopt) : std::nullopt;
        if (age >= 2 * period) current_.reset();
        since_ += period;
    }

    static int place() noexcept {
        static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
        return index;
    }

    // As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has it: 0 is for no ticket, or for one that cannot be opened.
    static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                         int seal) noexcept {
        auto& keys = *static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place()));
        Opener with;
        if (seal != 0) {
            auto key = keys.current();
            if (!key || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return 0;
            with.key = *key;
            std::copy(key->name.begin(), key->name.end(), name);
        } else {
            auto found = keys.find(name);
            if (!found) return 0;
            with = *found;
        }
        char digest[] = "SHA256";
        const OSSL_PARAM parameters[] = {
            OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, with.key.mac.data(), with.key.mac.size()),
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
        bool good = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, with.key.cipher.data(), iv, seal) == 1 &&
                    EVP_MAC_CTX_set_params(mac, parameters) == 1;
        if (!good) return -1;
        return with.former ? 2 : 1;
    }

    const Now now_;
    std::mutex mutex_;  // held for a look only
    std::optional<TicketKey> current_, former_;
    Clock::time_point since_{};  // when the period began
};

}  // namespace kvolt::detail

#endif
