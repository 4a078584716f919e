//! Any operation of AWS's API, done by a person: neither audited nor judged, and no fault befalls it.

use serde_json::Value as Json;

use crate::call::Call;
use crate::clock::earlier;
use crate::people::Denied;
use crate::wire::Refusal;
use crate::wire::json::spell;
use crate::world::World;
use crate::{appstream, gamelift, lightsail};

impl World {
    /// Does what an operation of AWS's API would do in the home account and region, as a console user: neither audited nor
    /// judged, and no fault befalls it. The service goes by its signing name (`appstream`, `lightsail`, `gamelift`).
    ///
    /// # Errors
    /// What AWS would tell the user.
    pub fn out_of_band(&self, service: &str, operation: &str, input: &Json) -> Result<Json, Denied> {
        let home = self.lock().home();
        self.out_of_band_in(&home.0, &home.1, service, operation, input)
    }

    /// [`World::out_of_band`] in another account or region.
    ///
    /// # Errors
    /// What AWS would tell the user.
    pub fn out_of_band_in(
        &self,
        account: &str,
        region: &str,
        service: &str,
        operation: &str,
        input: &Json,
    ) -> Result<Json, Denied> {
        let mut state = self.lock();
        let now = state.clock.now();
        let lag = state.settings.visibility_lag;
        let call = Call {
            operation,
            input,
            place: (account.to_owned(), region.to_owned()),
            now,
            seen_at: earlier(now, lag),
            keep: None,
            fails_later: None,
            origin: "http://localhost",
        };
        let answered = match service {
            "appstream" => appstream::act(&mut state, &call),
            "lightsail" => lightsail::act(&mut state, &call),
            "gamelift" => gamelift::act(&mut state, &call),
            _ => Err(Refusal::new("UnknownOperationException", "")),
        };
        if let Ok(answer) = &answered {
            state.secrets.note(operation, "", answer);
        }
        let denied = |refusal: Refusal| Denied { code: refusal.code, message: refusal.message };
        answered.map(|value| spell(&value)).map_err(denied)
    }
}
