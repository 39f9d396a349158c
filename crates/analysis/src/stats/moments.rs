//! Mean and standard error of a sample.

/// The arithmetic mean; `None` if `values` is empty.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard error of the mean; `None` for fewer than two values.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let degrees_of_freedom = values
        .len()
        .checked_sub(1)
        .filter(|&degrees_of_freedom| degrees_of_freedom > 0)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / degrees_of_freedom as f64 / values.len() as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_error_matches_a_worked_example() {
        // The sample variance of 2, 4, 4, 4, 5, 5, 7, 9 is 32/7.
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let expected = (32.0_f64 / 7.0 / 8.0).sqrt();
        assert!((standard_error(&values).unwrap() - expected).abs() < 1e-12);
        assert_eq!(standard_error(&[1.0]), None);
        assert_eq!(mean(&[]), None);
    }
}
